// As OpenTelemetry's own guide has it: `clients server PORT`, or `clients client URL COUNT`.
package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	ctx := context.Background()
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))

	if os.Args[1] == "server" {
		reviews := http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			time.Sleep(5 * time.Millisecond)
			io.WriteString(answer, "reviews")
		})
		go http.ListenAndServe("127.0.0.1:"+os.Args[2], otelhttp.NewHandler(reviews, "GET /reviews"))
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		<-stop
	} else {
		count, _ := strconv.Atoi(os.Args[3])
		client := http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport)}
		for n := 0; n < count; n++ {
			answer, err := client.Get(os.Args[2])
			if err != nil {
				log.Fatal(err)
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	}
	if err := provider.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}
