// Whatever viewers, executor and others do in whichever order: what is approved is what whoever approved it saw.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RebalancePlan } from '#coordination/api.ts'
import { isApproved } from '#coordination/plans/plan-progress.ts'
import { move, plan as runningPlan } from '#coordination/plans/testdata/objects.ts'
import { seededRandom } from '#kube/random.ts'
import type { ActionBody, ActionName } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { pictureOf } from '../views/testdata/homelab.ts'
import { openActions } from './actions.ts'
import { PlanServer } from './testdata/plan-server.ts'

type Happening =
  | { readonly kind: 'progress'; readonly phase: 'Proposed' | 'Approved' | 'Running' | 'Paused' }
  /** Somebody edits the moves; the hash goes with them, or does not. */
  | { readonly kind: 'edit'; readonly to: string; readonly isRehashed: boolean }
  /** The watch brings what the server has. */
  | { readonly kind: 'watch' }
  /** A viewer looks at the page. */
  | { readonly kind: 'look'; readonly viewer: number }
  | { readonly kind: 'act'; readonly viewer: number; readonly action: ActionName; readonly by: 'version' | 'revision' }

const actionNames: readonly ActionName[] = ['approve', 'step', 'withdraw', 'pause', 'resume']
const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constant('progress' as const), phase: fc.constantFrom('Proposed', 'Approved', 'Running', 'Paused') }),
  fc.record({ kind: fc.constant('edit' as const), to: fc.constantFrom('n2', 'n3', 'n4'), isRehashed: fc.boolean() }),
  fc.record({ kind: fc.constant('watch' as const) }),
  fc.record({ kind: fc.constant('look' as const), viewer: fc.nat(1) }),
  fc.record({
    kind: fc.constant('act' as const),
    viewer: fc.nat(1),
    action: fc.constantFrom(...actionNames),
    by: fc.constantFrom('version' as const, 'revision' as const),
  }),
)

/** What a plan would do. */
const contentOf = (plan: RebalancePlan): string => JSON.stringify(plan.spec.moves.map(({ id, to }) => [id, to]))

class World {
  readonly server: PlanServer
  readonly #actions = openActions({ random: seededRandom(1) })
  readonly #empty = pictureOf([])
  readonly #seen: Picture[]
  #picture: Picture
  /** Content that each viewer saw when they asked, for each write that approves. */
  readonly approved: { readonly seen: string; readonly written: string }[] = []

  constructor() {
    const plan = runningPlan()
    this.server = new PlanServer({ ...plan, spec: { ...plan.spec, approved: false }, status: { phase: 'Proposed' } })
    this.#picture = this.#watched(1)
    this.#seen = [this.#picture, this.#picture]
  }

  async happens(what: Happening): Promise<void> {
    switch (what.kind) {
      case 'progress':
        return this.server.change(plan => ({ ...plan, status: { ...plan.status, phase: what.phase } }))
      case 'edit': {
        const moves = [move({ to: what.to, acceptable: [what.to] })]
        const hash = what.isRehashed ? { snapshotHash: `sha256:${what.to}` } : {}
        return this.server.change(plan => ({ ...plan, spec: { ...plan.spec, ...hash, moves } }))
      }
      case 'watch':
        this.#picture = this.#watched(this.#picture.sequence + 1)
        return
      case 'look':
        this.#seen[what.viewer] = this.#picture
        return
      case 'act':
        await this.#act(what)
    }
  }

  async #act({ viewer, action, by }: Happening & { readonly kind: 'act' }): Promise<void> {
    const seen = this.#seen[viewer]
    const [plan] = seen?.book.plans ?? []
    if (seen === undefined || plan === undefined) return
    const { resourceVersion } = plan.metadata
    const body: ActionBody = {
      revision: `${seen.epoch}.${seen.sequence}`,
      plan: plan.metadata.name,
      snapshotHash: plan.spec.snapshotHash,
      ...(by === 'revision' || resourceVersion === undefined ? {} : { resourceVersion }),
    }
    const before = this.server.written.length
    await this.#actions.perform(action, body, { viewer: `viewer ${viewer}`, api: this.server.api, picture: this.#picture })
    const [written] = this.server.written.slice(before)
    if (written !== undefined && (action === 'approve' || action === 'step'))
      this.approved.push({ seen: contentOf(plan), written: contentOf(written.before) })
  }

  #watched(sequence: number): Picture {
    return { ...this.#empty, sequence, book: { ...this.#empty.book, plans: [this.server.plan] } }
  }
}

test('never another content than the one that was seen', async () => {
  let approvals = 0
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async happenings => {
      const world = new World()
      for (const one of happenings) await world.happens(one)
      for (const { seen, written } of world.approved) expect(written).toBe(seen)
      approvals += world.approved.length
      // An approval of one content does not hold for another hash.
      const { plan } = world.server
      if (plan.spec.approvedHash !== plan.spec.snapshotHash && plan.spec.approvedHash !== undefined)
        expect(isApproved(plan)).toBe(false)
    }),
    { numRuns: 2_000 },
  )
  // Or nothing was tried at all.
  expect(approvals).toBeGreaterThan(100)
})
