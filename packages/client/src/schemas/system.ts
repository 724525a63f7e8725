import * as z from 'zod'

/** The body of every answer that is not a success, as `application/problem+json` (RFC 9457 with Weir's five parts). */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().meta({ description: 'Stable; see docs/reference/errors.md.' }),
    exit: z.int().meta({ description: 'What `weir` exits with.' }),
    message: z.string(),
    cause: z.string(),
    evidence: z.string(),
    state: z.string().meta({ description: 'What runs now.' }),
    next: z.string().meta({ description: 'A command to type.' }),
    docs: z.string(),
    requestId: z.string(),
    problems: z.array(z.object({ at: z.string(), message: z.string(), hint: z.string().optional() })).optional(),
  })
  .meta({ id: 'Problem' })

export const system = {
  'system.livez': { response: z.object({ ok: z.literal(true) }) },
  'system.readyz': { response: z.object({ ok: z.literal(true) }) },
  'system.metrics': { response: z.string() },
  'system.openapi': { response: z.record(z.string(), z.unknown()) },
  'system.version': { response: z.object({ version: z.string(), api: z.literal('v1') }) },
  'system.health': {
    response: z.object({
      version: z.string(),
      schema: z.int(),
      epoch: z.int(),
      holder: z.string().nullable(),
      telemetry: z
        .object({
          accepted: z.number().meta({ description: 'Spans since the process started.' }),
          lost: z.record(z.string(), z.number()).meta({ description: 'What was lost or turned away since then, by why.' }),
          capped: z
            .array(z.object({ environment: z.string(), service: z.string(), label: z.string(), count: z.number() }))
            .meta({ description: 'Labels of spans with so many values that further ones are counted as `other`; how often.' }),
          unjournaled: z.number().meta({ description: 'Requests that a kill at that moment would have lost: more came in than the journal takes.' }),
          storage: z.string().nullable().meta({ description: 'Why nothing can be kept; null: it is kept.' }),
          links: z
            .array(
              z.object({
                name: z.string(),
                address: z.string().meta({ description: "A broker's, or that of the page that shows the traces." }),
                problem: z.string().nullable(),
                spans: z.number(),
                lost: z.record(z.string(), z.number()),
              }),
            )
            .meta({ description: 'Topics of Kafka that are read, and places that spans are forwarded to.' }),
          memoryBytes: z.number(),
        })
        .nullable()
        .meta({ description: 'null: the process does not answer, or is turned off.' }),
    }),
  },
}
