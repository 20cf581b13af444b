// The arbiter's ledger as it would go on: what is known now, and what the play grants and gives back.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { ArbiterSurroundings } from '../../arbiter/surroundings.ts'
import { factsFor, newestPodsOf } from '../../facts/facts.ts'
import type { Intent } from '../../intent.ts'
import { LedgerIndex, recordKey } from '../../permits/ledger-index.ts'
import type { LedgerView } from '../../permits/ledger-view.ts'
import { permitObject } from '../../permits/permit-object.ts'
import { isActive, type PermitRecord, recordOf } from '../../permits/permit-record.ts'
import { defaultSeconds } from './expected-seconds.ts'

interface Around {
  readonly state: ClusterState
  readonly around: ArbiterSurroundings
}

/** Above every token that a leader gives out. */
const firstToken = 900_000_000_000_000
/** A permit of others that should be over by now is taken to be over soon, in milliseconds. */
const overdueMs = 5_000

export class PlayedLedger {
  readonly #index = new LedgerIndex()
  readonly #around: Around
  /** Permits of others that are out, by their key, and when they are taken to end. */
  readonly #others = new Map<string, number>()
  #token = firstToken

  constructor(around: Around, beginMs: number) {
    this.#around = around
    for (const record of around.around.ledger.all()) {
      this.#index.put(record)
      if (isActive(record) && record.purpose !== 'steer') this.#others.set(recordKey(record), endOf(record, beginMs))
    }
  }

  get view(): LedgerView {
    return this.#index
  }

  /** When the next permit of others ends; infinity where none is out. */
  nextEndMs(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#others.values())
  }

  /** Ends what of others is over by `nowMs`. @returns whether anything was */
  endUntil(nowMs: number): boolean {
    const over = this.#index.active().filter(record => (this.#others.get(recordKey(record)) ?? Number.POSITIVE_INFINITY) <= nowMs)
    for (const record of over) {
      this.#others.delete(recordKey(record))
      this.#index.put(released(record, nowMs))
    }
    return over.length > 0
  }

  /** Grants what is asked for. @returns what gives it back at the time given, as done */
  grant(intent: Intent, nowMs: number): (ms: number) => void {
    const { state, around } = this.#around
    const { nodes } = factsFor(intent, { ...around, state, ledger: [], asksGates: false, nowMs })
    const siblings = intent.workload === undefined ? [] : newestPodsOf(state, intent.workload)
    const context = { siblings, nodes, joined: [], nowMs, token: ++this.#token, epoch: 1, namespace: around.ownNamespace }
    const record = recordOf(permitObject(intent, { kind: 'grant', wouldBe: undefined }, context))
    this.#index.put(record)
    return ms => this.#index.put({ ...released(record, ms), landing: 'expected' })
  }
}

function endOf({ grant }: PermitRecord, beginMs: number): number {
  const likelyMs = (grant?.atMs ?? beginMs) + defaultSeconds.surge * 1000
  return Math.min(Math.max(likelyMs, beginMs + overdueMs), Math.max(grant?.expiresAtMs ?? beginMs, beginMs + overdueMs))
}

function released(record: PermitRecord, ms: number): PermitRecord {
  return { ...record, releasedAtMs: ms, ending: 'done' }
}
