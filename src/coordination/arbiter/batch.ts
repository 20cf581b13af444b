// What the answers to one batch of questions need written, and who hears of each.
import { type Intent, wishKey } from '../intent.ts'
import type { Draft, Joining } from '../permits/ledger.ts'
import { recordKey } from '../permits/ledger-index.ts'
import type { Permit } from '../permits/permit.ts'
import type { PermitRecord } from '../permits/permit-record.ts'

interface Hearing<T> {
  readonly written: (result: T) => void
  readonly failed: (error: unknown) => void
}

interface Entry<Subject, T> {
  readonly subject: Subject
  readonly hearings: readonly Hearing<T>[]
}

export class Batch {
  readonly #drafts = new Map<string, Entry<Draft, Permit>>()
  readonly #joinings = new Map<string, Entry<Joining, PermitRecord | undefined>>()

  get drafts(): readonly Draft[] {
    return Array.from(this.#drafts.values(), ({ subject }) => subject)
  }

  get joinings(): readonly Joining[] {
    return Array.from(this.#joinings.values(), ({ subject }) => subject)
  }

  /** The grant of this batch that is `record`. */
  draftOf(record: PermitRecord): Draft | undefined {
    return this.#drafts.get(recordKey(record))?.subject
  }

  /** A grant, or one more who hears of it. */
  grant(draft: Draft, hearing: Hearing<Permit>): void {
    const key = recordKey(draft.record)
    this.#drafts.set(key, { subject: draft, hearings: [...(this.#drafts.get(key)?.hearings ?? []), hearing] })
  }

  /** A wish that goes along with a permit that is out. */
  join(into: PermitRecord, wish: Intent, hearing: Hearing<PermitRecord | undefined>): void {
    const key = recordKey(into)
    const known = this.#joinings.get(key)
    const others = (known?.subject.wishes ?? []).filter(one => wishKey(one) !== wishKey(wish))
    this.#joinings.set(key, { subject: { into, wishes: [...others, wish] }, hearings: [...(known?.hearings ?? []), hearing] })
  }

  /** Tells each how its writing went, in the order of `drafts` and `joinings`. */
  tellGrants(outcomes: readonly PromiseSettledResult<Permit>[]): void {
    tellAll([...this.#drafts.values()], outcomes)
  }

  tellJoined(outcomes: readonly PromiseSettledResult<PermitRecord | undefined>[]): void {
    tellAll([...this.#joinings.values()], outcomes)
  }
}

function tellAll<T>(entries: readonly Entry<unknown, T>[], outcomes: readonly PromiseSettledResult<T>[]): void {
  for (const [at, outcome] of outcomes.entries()) {
    for (const { written, failed } of entries[at]?.hearings ?? []) {
      if (outcome.status === 'fulfilled') written(outcome.value)
      else failed(outcome.reason)
    }
  }
}
