/** What the gateway itself says when no service could. */
export interface Trouble {
  readonly status: number
  /** "v43: exited with 1: Error: …" */
  readonly cause: string
  readonly requestId: string
  /** "shop/production"; null when the request belongs to no app. */
  readonly label: string | null
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  404: 'Not found',
  408: 'Request timeout',
  413: 'Request body too large',
  431: 'Request headers too large',
  501: 'Not implemented',
  502: 'The service failed',
  503: 'The service is not available',
  504: 'The service did not answer in time',
}

/**
 * A page for browsers, problem+json for programs that ask for JSON, a line of text for the rest.
 *
 * @example answerPage({ status: 503, cause: 'v43: exited with 1', requestId: '…', label: 'shop/production' }, 'text/html')
 */
export function answerPage(trouble: Trouble, accept: string | null): { readonly type: string; readonly body: string } {
  const title = TITLES[trouble.status] ?? 'Error'
  if (accept?.includes('text/html')) return { type: 'text/html; charset=utf-8', body: page(title, trouble) }
  if (accept !== null && /[/+]json/.test(accept)) {
    const { status, cause, requestId } = trouble
    return { type: 'application/problem+json', body: `${JSON.stringify({ type: 'about:blank', status, title, detail: cause, requestId })}\n` }
  }
  return { type: 'text/plain; charset=utf-8', body: `${trouble.status} ${title}\n${trouble.cause}\nrequest ${trouble.requestId}\n` }
}

function page(title: string, { status, cause, requestId, label }: Trouble): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${status} ${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:15vh auto;padding:0 1rem;color:#222}h1{font-size:1.3rem}pre{white-space:pre-wrap;background:#f4f4f4;padding:.8rem;border-radius:.4rem}small{color:#666}</style></head>
<body><h1>${status} ${title}</h1>${label === null ? '' : `<p>${escape(label)}</p>`}<pre>${escape(cause)}</pre><small>request ${escape(requestId)}</small></body></html>
`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
