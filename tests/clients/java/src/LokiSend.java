// SPDX-License-Identifier: Apache-2.0

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.PatternLayout;
import ch.qos.logback.classic.util.LogbackMDCAdapter;
import ch.qos.logback.core.status.Status;
import com.github.loki4j.logback.Loki4jAppender;
import com.github.loki4j.logback.PipelineConfigAppenderBase.BasicAuth;
import com.github.loki4j.logback.PipelineConfigAppenderBase.BatchCfg;
import com.github.loki4j.logback.PipelineConfigAppenderBase.HttpCfg;

/**
 * LokiSend RUN -- the unmodified appender of loki4j sends three lines to LOKI_URL, each with RUN in it. LOKI_TOKEN is the password of Basic,
 * LOKI_USER its user, LOKI_TENANT the X-Scope-OrgID if it is set; whom to trust comes from the trust store of Java's own properties.
 * It prints what the appender complains of (each try that failed), and in the end "stopped". LOKI_TRIES: so often it tries again.
 */
public final class LokiSend {
	private static HttpCfg http() {
		BasicAuth auth = new BasicAuth();
		auth.setUsername(System.getenv().getOrDefault("LOKI_USER", ""));
		auth.setPassword(System.getenv("LOKI_TOKEN"));
		HttpCfg http = new HttpCfg();
		http.setUrl(System.getenv("LOKI_URL"));
		http.setAuth(auth);
		http.setTenantId(System.getenv("LOKI_TENANT"));
		http.setMaxRetries(Integer.parseInt(System.getenv().getOrDefault("LOKI_TRIES", "2")));
		return http;
	}

	private static Loki4jAppender appender(LoggerContext context, String run) {
		PatternLayout message = new PatternLayout();
		message.setContext(context);
		message.setPattern("%msg");
		message.start();
		BatchCfg batch = new BatchCfg();
		batch.setTimeoutMs(200);
		Loki4jAppender appender = new Loki4jAppender();
		appender.setContext(context);
		appender.setHttp(http());
		appender.setBatch(batch);
		appender.setMessage(message);
		appender.setLabels("job=" + run + "\ntenant_id=forged-by-the-client");
		appender.setStructuredMetadata("number=%mdc{number}\ntenant_id=forged-by-the-client");
		appender.start();
		return appender;
	}

	public static void main(String[] arguments) {
		String run = arguments[0];
		LoggerContext context = new LoggerContext();
		context.setMDCAdapter(new LogbackMDCAdapter());
		Loki4jAppender appender = appender(context, run);
		Logger logger = context.getLogger("LokiSend");
		logger.addAppender(appender);
		String[] texts = {"grüß \"dich\"", "two\nlines", "😀"};
		for (int i = 0; i < texts.length; i++) {
			context.getMDCAdapter().put("number", String.valueOf(i));
			logger.info(run + " " + texts[i]);
		}
		context.stop(); // sends what is left, and waits for it
		for (Status each : context.getStatusManager().getCopyOfStatusList()) {
			if (each.getLevel() < Status.WARN) continue;
			System.out.println(each.getMessage().replaceAll("\\s+", " ") + (each.getThrowable() == null ? "" : ": " + each.getThrowable()));
		}
		System.out.println("stopped");
	}
}
