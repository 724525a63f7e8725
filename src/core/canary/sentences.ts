/** Numbers as people say them. */

const SUPERSCRIPT = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** `1 in 40`, `1 in 8,100`, `1 in 10⁹`: of log evidence. */
export function byChance(logE: number): string {
  if (!(logE > Math.log(2))) return 'as by chance'
  const power = Math.floor(logE / Math.LN10 + 1e-9)
  if (power >= 6) return `by chance 1 in 10${Array.from(String(power), (digit) => SUPERSCRIPT[Number(digit)]).join('')}`
  return `by chance 1 in ${grouped(twoDigits(Math.exp(logE)))}`
}

/** `12,300` */
export function grouped(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `5.2`, `41`, `0.03` */
export function short(value: number): string {
  if (value === 0) return '0'
  return Math.abs(value) >= 10 ? grouped(value) : String(Number(value.toPrecision(2)))
}

/** `1.25`: of what was asked for, not measured. */
export function asked(value: number): string {
  return String(Number(value.toPrecision(4)))
}

/** `0.5 %` */
export function percent(share: number): string {
  return `${short(share * 100)} %`
}

/** `40 s`, `3 min`, `2 h` */
export function duration(seconds: number): string {
  if (seconds < 100) return `${Math.max(1, Math.ceil(seconds))} s`
  if (seconds < 6000) return `${Math.ceil(seconds / 60)} min`
  return `${grouped(Math.ceil(seconds / 3600))} h`
}

export function count(amount: number, one: string, many = `${one}s`): string {
  return `${grouped(amount)} ${amount === 1 ? one : many}`
}

function twoDigits(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1)
  return Math.floor(value / unit) * unit
}
