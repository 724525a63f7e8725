// An SDK that is registered before anything else, as by --require.
require('@opentelemetry/api').trace.setGlobalTracerProvider({ getTracer: () => ({}) })
