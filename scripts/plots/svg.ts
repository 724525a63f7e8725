export const WIDTH = 640

/** Colours that can be read on white and on black; text takes the reader's scheme. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .axis { stroke: #8c959f; stroke-width: 1 }
  .grid { stroke: #8c959f; stroke-width: 0.5; stroke-dasharray: 2 4 }
  .old { fill: #8c959f }
  .new { fill: #2f81f7 }
  .curve { stroke-width: 2; fill: none; stroke-linejoin: round }
  .curve.old { stroke: #8c959f }
  .curve.new { stroke: #2f81f7 }
  .wanted { stroke: #d29922; stroke-width: 2 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }`

/** A picture with a title for those who cannot see it. */
export function svg(height: number, title: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escaped(title)}">
<title>${escaped(title)}</title>
<style>${STYLE}
</style>
${parts.join('\n')}
</svg>
`
}

export function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  return `<text x="${short(x)}" y="${short(y)}" text-anchor="${anchor}">${escaped(words)}</text>`
}

export function bar(kind: 'old' | 'new', x: number, y: number, width: number, height: number): string {
  return height <= 0 ? '' : `<rect class="${kind}" x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"/>`
}

export function line(kind: 'axis' | 'grid' | 'wanted', x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="${kind}" x1="${short(x1)}" y1="${short(y1)}" x2="${short(x2)}" y2="${short(y2)}"/>`
}

export function curve(kind: 'old' | 'new', points: readonly (readonly [x: number, y: number])[]): string {
  return `<polyline class="curve ${kind}" points="${points.map(([x, y]) => `${short(x)},${short(y)}`).join(' ')}"/>`
}

function short(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
