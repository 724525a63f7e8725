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

/** Text that `expand` leaves as it is: for values that were never meant to hold a variable. */
export function literal(text: string): string {
  return text.replaceAll('$', '$$$$')
}
