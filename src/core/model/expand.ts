/**
 * What stands for `$` in a command or variable of a manifest when a process starts; the same in every format. Nothing that was put in is looked at again.
 *
 * | written             | becomes                                              |
 * |---------------------|------------------------------------------------------|
 * | `$NAME`, `${NAME}`  | the value, or nothing when there is none             |
 * | `${NAME:-x}`        | the value, or `x` when there is none or it is empty  |
 * | `${NAME-x}`         | the value, or `x` when there is none                 |
 * | `${resources.a.url}` | what `lookup` says of `resources.a.url`; as written when it says nothing |
 * | `$$`                | `$`                                                  |
 *
 * @example expand('--port $PORT', (name) => ({ PORT: '4000' })[name]) // '--port 4000'
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(
    /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)([^}]*))?\}|\$\{([a-z]+\.[-.a-z0-9]+)\}|\$([A-Za-z_][A-Za-z0-9_]*)/g,
    (whole, name: string | undefined, operator: string | undefined, fallback: string | undefined, template: string | undefined, plain: string | undefined) => {
      if (whole === '$$') return '$'
      if (template !== undefined) return lookup(template) ?? whole
      const value = lookup((name ?? plain)!)
      return (operator === ':-' ? value || fallback : (value ?? fallback)) ?? ''
    },
  )
}

/**
 * Only the templates that `lookup` knows; all else, `$$` too, stays for `expand` at the start.
 *
 * @example fillTemplates('${services.api.url}/v1', () => 'http://127.0.0.1:1') // 'http://127.0.0.1:1/v1'
 */
export function fillTemplates(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\{([a-z]+\.[-.a-z0-9]+)\}/g, (whole, name: string | undefined) => (name === undefined ? whole : (lookup(name) ?? whole)))
}

/** Text that `expand` leaves as it is: for values that were never meant to hold a variable. */
export function literal(text: string): string {
  return text.replaceAll('$', '$$$$')
}
