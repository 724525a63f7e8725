/**
 * Five-field cron text in UTC: minute, hour, day of month, month, day of week (0 or 7 = Sunday), each `*`, a number, a range, a list,
 * with an optional `/step`. As in POSIX crontab, when both day fields are restricted, either may match.
 */
export interface Cron {
  readonly minute: ReadonlySet<number>
  readonly hour: ReadonlySet<number>
  readonly day: ReadonlySet<number>
  readonly month: ReadonlySet<number>
  readonly weekday: ReadonlySet<number>
  readonly eitherDay: boolean
}

/** Parsed, or what is wrong with the text. */
export function parseCron(text: string): Cron | { readonly problem: string } {
  const parts = text.trim().split(/\s+/)
  if (parts.length !== 5) return { problem: `expected 5 fields (minute hour day month weekday), found ${parts.length}` }
  const ranges = [
    [0, 59],
    [0, 23],
    [1, 31],
    [1, 12],
    [0, 7],
  ] as const
  const sets: ReadonlySet<number>[] = []
  for (const [index, part] of parts.entries()) {
    const [low, high] = ranges[index] as readonly [number, number]
    const set = parseField(part, low, high)
    if (typeof set === 'string') return { problem: set }
    sets.push(set)
  }
  const [minute, hour, day, month, weekdays] = sets as [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>]
  const weekday = new Set([...weekdays].map((it) => it % 7))
  return { minute, hour, day, month, weekday, eitherDay: parts[2] !== '*' && parts[4] !== '*' }
}

function parseField(text: string, low: number, high: number): Set<number> | string {
  const set = new Set<number>()
  for (const item of text.split(',')) {
    const match = /^(\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(item)
    if (!match) return `"${item}" is not a number, range or *`
    const from = match[2] === undefined ? low : Number(match[2])
    const to = match[2] === undefined ? high : match[3] !== undefined ? Number(match[3]) : match[4] !== undefined ? high : from
    const by = match[4] === undefined ? 1 : Number(match[4])
    if (from < low || to > high || from > to || by === 0) return `"${item}" is outside ${low}-${high}`
    for (let value = from; value <= to; value += by) set.add(value)
  }
  return set
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Five years hold every date there is, 29 February included. */
const SEARCHED_DAYS = 5 * 366

/** The first matching minute after `after` (milliseconds since 1970), or null when there is none (30 February). */
export function nextRun(cron: Cron, after: number): number | null {
  const first = Math.floor(after / MINUTE_MS) * MINUTE_MS + MINUTE_MS
  const firstDay = Math.floor(first / DAY_MS)
  for (let day = firstDay; day < firstDay + SEARCHED_DAYS; day++) {
    if (!matchesDay(cron, day)) continue
    const start = day === firstDay ? (first % DAY_MS) / MINUTE_MS : 0
    for (let minute = start; minute < 1440; minute++) {
      if (cron.hour.has(Math.floor(minute / 60)) && cron.minute.has(minute % 60)) return day * DAY_MS + minute * MINUTE_MS
    }
  }
  return null
}

function matchesDay(cron: Cron, day: number): boolean {
  const { month, dayOfMonth } = civil(day)
  if (!cron.month.has(month)) return false
  const byDate = cron.day.has(dayOfMonth)
  const byWeekday = cron.weekday.has((day + 4) % 7) // 1970-01-01 was a Thursday
  return cron.eitherDay ? byDate || byWeekday : byDate && byWeekday
}

/** Days since 1970-01-01 → month and day. Source: Howard Hinnant, "chrono-compatible low-level date algorithms", civil_from_days. */
function civil(days: number): { month: number; dayOfMonth: number } {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  return { month: shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9, dayOfMonth: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1 }
}
