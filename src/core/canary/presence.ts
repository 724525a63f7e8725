/** Which replicas of the canary answer. One that is silent while the others answer is found by what the others have answered since. */
import type { ReplicaRow } from './evidence.ts'

/** A replica that would have had so many requests by now, and had none. */
const MISSED = 20

export class Presence {
  readonly #lastAnswer = new Map<string, Map<string, number>>()
  readonly #answers = new Map<string, number>()

  count({ service, replica, side, requests }: ReplicaRow): void {
    if (side !== 'canary' || requests === 0) return
    const answers = (this.#answers.get(service) ?? 0) + requests
    this.#answers.set(service, answers)
    let replicas = this.#lastAnswer.get(service)
    if (replicas === undefined) this.#lastAnswer.set(service, (replicas = new Map()))
    replicas.set(replica, answers)
  }

  answers(service: string): number {
    return this.#answers.get(service) ?? 0
  }

  answering(service: string, wanted: number): number {
    const answers = this.answers(service)
    return [...(this.#lastAnswer.get(service)?.values() ?? [])].filter((last) => answers - last < MISSED * wanted).length
  }
}
