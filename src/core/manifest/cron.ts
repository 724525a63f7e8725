const FIELDS = [
  { name: 'minute', min: 0, max: 59, names: [] },
  { name: 'hour', min: 0, max: 23, names: [] },
  { name: 'day of month', min: 1, max: 31, names: [] },
  { name: 'month', min: 1, max: 12, names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'] },
  { name: 'day of week', min: 0, max: 7, names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] },
] as const

/** Days that each month has at most: a schedule on 31 February would never fire. */
const LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * Why `text` is not a five-field schedule, or null when it is: numbers, names, `*`, `a-b`, `a,b` and `/n`.
 *
 * @example cronProblem('0 25 * * *') // 'has hour 25, which is not 0-23'
 */
export function cronProblem(text: string): string | null {
  const parts = text.trim().split(/\s+/)
  if (parts.length !== FIELDS.length) return `has ${text.trim() === '' ? 0 : parts.length} fields, not 5`
  const values: number[][] = []
  for (const [index, field] of FIELDS.entries()) {
    const result = fieldValues(parts[index]!, field)
    if (typeof result === 'string') return result
    values.push(result)
  }
  const [, , days, months, weekdays] = values
  const anyWeekday = weekdays!.length >= 7
  if (anyWeekday && !days!.some((day) => months!.some((month) => day <= LONGEST[month - 1]!))) return 'names a day that never comes'
  return null
}

function fieldValues(text: string, field: (typeof FIELDS)[number]): number[] | string {
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const match = /^(?:(\*)|([0-9]+|[A-Za-z]{3})(?:-([0-9]+|[A-Za-z]{3}))?)(?:\/([0-9]+))?$/.exec(part)
    if (!match) return `has ${JSON.stringify(part)} as ${field.name}`
    const from = match[1] ? field.min : number(match[2]!, field)
    const to = match[1] ? field.max : match[3] ? number(match[3], field) : match[4] ? field.max : from
    const step = match[4] === undefined ? 1 : Number(match[4])
    for (const value of [from, to]) if (!(value >= field.min && value <= field.max)) return `has ${field.name} ${part}, which is not ${field.min}-${field.max}`
    if (from > to) return `has ${field.name} ${part}, which runs backwards`
    if (step < 1 || step > field.max) return `has the step /${match[4]} as ${field.name}`
    for (let value = from; value <= to; value += step) values.add(value)
  }
  return [...values]
}

function number(text: string, field: (typeof FIELDS)[number]): number {
  if (/^[0-9]/.test(text)) return Number(text)
  const index = (field.names as readonly string[]).indexOf(text.toUpperCase())
  return index < 0 ? Number.NaN : index + field.min
}
