// SPDX-License-Identifier: Apache-2.0

// lokisend RUN -- promtail's own client (loki-client-go), unmodified, sends three lines to LOKI_URL, each with RUN in it, and waits until
// it has delivered them or given up. LOKI_TOKEN is the password of Basic, LOKI_USER its user; LOKI_TENANT the X-Scope-OrgID; LOKI_CA
// the file of whom to trust; LOKI_JSON=1 sends JSON instead of protobuf: the legacy shape, it has no other. It says what failed.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/grafana/loki-client-go/loki"
	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

func main() {
	run := os.Args[1]
	settings, err := loki.NewDefaultConfig(os.Getenv("LOKI_URL"))
	if err != nil {
		log.Fatal(err)
	}
	settings.TenantID = os.Getenv("LOKI_TENANT")
	settings.BatchWait = 100 * time.Millisecond
	settings.EncodeJson = os.Getenv("LOKI_JSON") != ""
	settings.BackoffConfig.MaxRetries, _ = strconv.Atoi(os.Getenv("LOKI_TRIES")) // none: for ever
	settings.Client.TLSConfig.CAFile = os.Getenv("LOKI_CA")
	settings.Client.BasicAuth = &config.BasicAuth{
		Username: os.Getenv("LOKI_USER"),
		Password: config.Secret(os.Getenv("LOKI_TOKEN")),
	}
	client, err := loki.New(settings)
	if err != nil {
		log.Fatal(err)
	}
	at := time.Unix(1700000000, 21)
	for i, text := range []string{"grüß \"dich\"", "two\nlines", "\U0001f600"} {
		labels := model.LabelSet{"job": model.LabelValue(run), "tenant_id": "forged-by-the-client"}
		if err := client.Handle(labels, at.Add(time.Duration(i)), run+" "+text); err != nil {
			log.Fatal(err)
		}
	}
	client.Stop()
	fmt.Println("stopped")
}
