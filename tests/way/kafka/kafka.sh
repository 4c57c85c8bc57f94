# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# kafka.sh -- a real Apache Kafka broker, private to its caller: one node, in $T/kafka-NAME, which dies with the shell that
# started it. Sourced by lib.sh (whose head documents the functions for tests) and by run. Needs base.sh.

declare -A KAFKA_PIDS=() KAFKA_STARTS=()

# kafka_start NAME [acl] [auto-create] [PROPERTY=VALUE]...: a new broker; sets KAFKA_BROKERS. KAFKA_HEAP: its memory (96m).
kafka_start()
{
	local name=$1 dir=$T/kafka-$1 port controller word tries
	shift
	for tries in 1 2 3; do
		port=$(port_pick) controller=$(port_pick)
		rm -rf "$dir"
		mkdir -p "$dir/data"
		printf 'version=1\ncluster.id=headgate-tests-0000000\nnode.id=1\n' >"$dir/data/meta.properties"
		sed "s|@PORT@|$port|; s|@CONTROLLER_PORT@|$controller|g; s|@DATA@|$dir/data|" \
			"$WAY/kafka/server.properties" >"$dir/server.properties"
		for word; do
			case $word in
			acl)	# open to all, but for topics that have rules (topic deny)
				echo authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
				echo allow.everyone.if.no.acl.found=true ;;
			auto-create)	# the later of two lines counts
				echo auto.create.topics.enable=true ;;
			*=*)	echo "$word" ;;
			*)	bail "kafka_start: what is $word?" ;;
			esac
		done >>"$dir/server.properties"
		echo "127.0.0.1:$port" >"$dir/brokers"
		KAFKA_STARTS[$name]=0
		kafka_up "$name" && break
		grep -q 'Address already in use' "$dir"/server.*.log && ((tries < 3)) && continue
		tail -n 20 "$dir"/server.*.log >&2
		bail "the broker $name does not start"
	done
	KAFKA_BROKERS=127.0.0.1:$port
}

# kafka_up NAME: starts the stopped or killed broker NAME on its old folder and ports. Ready is a line in its log.
kafka_up()
{
	local dir=$T/kafka-$1 log jars
	jars=$(machine_env "$WAY/tools/cached" kafka) || bail "Apache Kafka can't be fetched"
	log=$dir/server.$((++KAFKA_STARTS[$1])).log
	spawn "$log" java -Xms32m -Xmx"${KAFKA_HEAP:-96m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
		-Dlog4j2.configurationFile="$WAY/kafka/log4j2.properties" -cp "$jars/*" kafka.Kafka "$dir/server.properties"
	KAFKA_PIDS[$1]=$SPAWNED
	echo "$SPAWNED" >"$dir/pid"
	wait_until 120s kafka_settled "$1" "$log" && alive "$SPAWNED"
}

kafka_settled() { grep -q 'Kafka Server started' "$2" || gone "${KAFKA_PIDS[$1]}"; }

kafka_restart() { kafka_up "$1" || bail "the broker $1 does not come back"; }

kafka_pid()
{
	[ -n "${KAFKA_PIDS[$1]-}" ] || bail "no broker $1 of this test's own (kafka_start $1)"
	KAFKA_PID=${KAFKA_PIDS[$1]}
}

kafka_stop() { kafka_pid "$1"; end_pid "$KAFKA_PID" TERM 30s; }
kafka_kill() { kafka_pid "$1"; end_pid "$KAFKA_PID" KILL; }
kafka_freeze() { kafka_pid "$1"; kill -STOP "$KAFKA_PID"; }
kafka_thaw() { kafka_pid "$1"; kill -CONT "$KAFKA_PID"; }

# kafka_tool CLASS ARGUMENT...: a tool of Apache Kafka's own (ConfigCommand, GetOffsetShell ...); about a second each.
kafka_tool()
{
	local class=$1 jars
	shift
	jars=$(machine_env "$WAY/tools/cached" kafka) || bail "Apache Kafka can't be fetched"
	java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$WAY/kafka/log4j2.properties" \
		-cp "$jars/*" "org.apache.kafka.tools.$class" --bootstrap-server "$KAFKA_BROKERS" "$@"
}

# At the end, when no more is to be learnt from them.
kafka_end_all()
{
	local pid
	for pid in "${KAFKA_PIDS[@]}"; do
		end_pid "$pid" KILL
	done
}
