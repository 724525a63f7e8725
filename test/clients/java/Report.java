import brave.Span;
import brave.Span.Kind;
import brave.Tracing;
import zipkin2.reporter.brave.AsyncZipkinSpanHandler;
import zipkin2.reporter.kafka.KafkaSender;

/** Reports requests to web, each with a call to reviews, by Zipkin's own tracer and reporter. Arguments: broker, name of the spans, how many. */
public class Report {
  public static void main(String[] args) throws Exception {
    try (KafkaSender sender = KafkaSender.create(args[0]); AsyncZipkinSpanHandler spans = AsyncZipkinSpanHandler.create(sender)) {
      Tracing web = Tracing.newBuilder().localServiceName("web").traceId128Bit(true).addSpanHandler(spans).build();
      web.close(); // only one is Brave's current one; both go on
      Tracing reviews = Tracing.newBuilder().localServiceName("reviews").traceId128Bit(true).addSpanHandler(spans).build();
      for (int i = 0; i < Integer.parseInt(args[2]); i++) {
        Span request = web.tracer().newTrace().name(args[1]).kind(Kind.SERVER).start();
        Span call = web.tracer().newChild(request.context()).name(args[1]).kind(Kind.CLIENT).remoteServiceName("reviews").start();
        Span served = reviews.tracer().joinSpan(call.context()).name(args[1]).kind(Kind.SERVER).start();
        Thread.sleep(2);
        served.finish();
        call.finish();
        request.finish();
      }
      spans.flush();
    }
  }
}
