// The example as it is shipped, with the plan that planning makes of it: what newcomers see first.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readDocuments } from '#cluster/documents.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { permitText } from '../words/en-permits.ts'
import { permitPage } from './ledger/permits.ts'
import { isNotThere } from './not-there.ts'
import { certificateOf } from './plans/certificate.ts'
import { planViewOf } from './plans/plan.ts'
import { pictureOf, plannedFor } from './testdata/homelab.ts'
import { everything } from './viewing.ts'
import { workloadViewOf } from './workloads/workload.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

const folder = join(import.meta.dirname, '../../../examples/talos-homelab')
const objects: readonly KubeObject[] = ['cluster', 'config'].flatMap(part =>
  readdirSync(join(folder, part)).flatMap(file =>
    readDocuments(file, readFileSync(join(folder, part, file), 'utf8')).objects.map(({ object }) => object),
  ),
)
const plan = await plannedFor(objects, session.solve)
const picture = pictureOf([...objects, plan])

test('the plan: 15 moves, the fewest, proven, with what stays', () => {
  const view = planViewOf(picture, 'talos-7f3c', everything)
  expect(view?.head).toMatchObject({ moves: 15, optimal: true, proven: true, goalsMet: true })
  expect(view?.flows.reduce((sum, { pods }) => sum + pods, 0)).toBe(15)
  expect(view?.unmovable.reduce((sum, { count }) => sum + count, 0)).toBe(view?.stays.pods)
  expect(view?.unmovable.find(({ reason }) => reason === 'NotNeeded')?.workloads.length).toBeGreaterThan(0)
})

test('each move has a proof that the verifier passes', () => {
  for (const { id } of plan.spec.moves) {
    const certificate = certificateOf(picture, plan, id)
    expect(certificate?.verified).toEqual({ passed: true, by: 'ballast verifier 0.1.0', because: null })
    expect(certificate?.sentence.text).toMatch(
      /^fits: \S+ of \S+ free before, \S+ after · all filters passed · only landing place: talos03 \(hold\) · (PDB|no PDB)/,
    )
    expect(certificate?.command).toBe(
      'kubectl get rebalanceplan talos-7f3c -o yaml > talos-7f3c.yaml && ballast plan verify talos-7f3c.yaml --cluster examples/talos-homelab',
    )
  }
})

test('sonarr is denied in one line, and its page says the same', () => {
  const { permits } = permitPage(picture, { workload: 'media/Deployment/sonarr' })
  expect(permits.map(permitText)).toEqual([
    'denied · deschedule wants to evict media/sonarr · KedaManaged: owned by KEDA (ScaledObject sonarr) · nothing to do: it moves when it is next at zero',
  ])
  const view = workloadViewOf(picture, { kind: 'Deployment', namespace: 'media', name: 'sonarr' }, everything)
  expect(isNotThere(view) ? [] : view.wouldBe.map(({ capability, rule }) => [capability, rule])).toContainEqual([
    'deschedule',
    'KedaManaged',
  ])
})

test('every workload of the example has a page', () => {
  for (const { workload } of picture.state.pods.values()) {
    if (workload === undefined) continue
    const view = workloadViewOf(picture, workload, everything)
    expect(isNotThere(view)).toBe(false)
  }
})
