/** What of one request was not taken, and what its sender is told about it. */
export class Rejections {
  badIds = 0
  homeless = 0
  tooMany = 0

  get count(): number {
    return this.badIds + this.homeless + this.tooMany
  }

  clear(): void {
    this.badIds = this.homeless = this.tooMany = 0
  }

  /** null: nothing was rejected. */
  because(maxSpansPerTrace: number): string | null {
    const reasons = [
      ...(this.badIds > 0 ? [`${this.badIds} with a trace or span id of wrong length or of zeros`] : []),
      ...(this.homeless > 0 ? [`${this.homeless} of no app that is known: give service.namespace, or send x-weir-key`] : []),
      ...(this.tooMany > 0 ? [`${this.tooMany} of a trace of more than ${maxSpansPerTrace} spans`] : []),
    ]
    return reasons.length > 0 ? reasons.join('; ') : null
  }
}
