import { join } from 'node:path'
import type { Epoch } from '../../../core/model/epoch.ts'
import { WeirError } from '../../../errors.ts'
import { crashPoint } from './crash-point.ts'
import { readRecord, writeRecord } from './durable.ts'

/** Refuses effects of a server that has been succeeded by another, over restarts of the runner too. */
export class EpochGuard {
  readonly #file: string
  #highest: Epoch

  constructor(folder: string) {
    this.#file = join(folder, 'epoch.json')
    this.#highest = readRecord<{ epoch: Epoch }>(this.#file)?.epoch ?? 0
  }

  /** Lets an effect of `epoch` pass, or throws; a higher one is written down before anything is done in its name. */
  admit(epoch: Epoch): void {
    if (!Number.isSafeInteger(epoch)) throw new WeirError('E_USAGE', { message: 'an effect needs an epoch' })
    if (epoch < this.#highest) {
      throw new WeirError('E_STALE_EPOCH', { message: 'a newer server has taken over', cause: `epoch ${epoch} is lower than ${this.#highest}` })
    }
    if (epoch === this.#highest) return
    writeRecord(this.#file, { epoch }, { durable: true })
    this.#highest = epoch
    crashPoint('epoch-persisted')
  }
}
