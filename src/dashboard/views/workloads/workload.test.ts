// One workload as its page shows it: D15, D16, D17, D27's half, names that are not there, and what is gone.
import { afterAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { solveInChild } from '#planning/solving/solve.ts'
import { workload } from '#planning/testdata/objects.ts'
import type { Ref, WorkloadView } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { inZone } from '../../words/moments.ts'
import { isNotThere } from '../not-there.ts'
import { ago, homelab, hour, minute, nowMs, permitObject, pictureOf, plannedFor, planWith, second } from '../testdata/homelab.ts'
import { everything, type Viewing } from '../viewing.ts'
import { historyPage } from './history.ts'
import { workloadRows, workloadViewOf } from './workload.ts'

const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())
const plan = await plannedFor(homelab(), session.solve)

const refOf = (text: string): Ref => {
  const [namespace = '', kind = '', name = ''] = text.split('/')
  return { namespace, kind, name }
}
const berlin: Viewing = { ...everything, displayZone: 'Europe/Berlin' }

function viewOf(picture: Picture, text: string, viewing: Viewing = berlin): WorkloadView {
  const view = workloadViewOf(picture, refOf(text), viewing)
  if (isNotThere(view)) throw new Error(view.sentence.text)
  return view
}

const texts = (sentences: readonly { readonly text: string }[]) => sentences.map(({ text }) => text)
const wouldBe = (view: WorkloadView) =>
  view.wouldBe.map(({ capability, because }) => `${capability}: ${inZone(because, 'Europe/Berlin', nowMs)}`)

describe('D15: registry/nexus', () => {
  const view = () => viewOf(pictureOf([...homelab(), plan]), 'registry/StatefulSet/nexus')

  test('cannot move, and says why', () => {
    expect(view().verdict).toMatchObject({
      level: 'blocked',
      sentences: [
        { text: 'Cannot move: its volume is pinned to talos01 (VolumePinned).' },
        { text: 'Nothing is planned for it now.' },
      ],
    })
  })

  test('may go nowhere else, each node with its reason', () => {
    const [pod] = view().pods
    expect([pod?.node, pod?.mayGo, pod?.mayGoCount]).toEqual(['talos01', [], 0])
    expect(pod?.mayNot.map(({ node }) => node)).toEqual(['talos00', 'talos02-gpu', 'talos03'])
    expect(new Set(pod?.mayNot.map(({ because }) => because))).toEqual(
      new Set(["node(s) didn't match PersistentVolume's node affinity"]),
    )
  })

  test('has the rest of what is known of it', () => {
    expect(view()).toMatchObject({
      ref: { kind: 'StatefulSet', namespace: 'registry', name: 'nexus' },
      ready: { wanted: 1, ready: 1 },
      owner: { value: 'descheduler', origin: 'label on the StatefulSet' },
      dependsOn: [{ kind: 'PersistentVolumeClaim', namespace: 'registry', name: 'data-nexus' }],
      budgets: [{ name: 'nexus' }],
      podCount: 1,
      freeze: null,
      deletedAt: null,
    })
    expect(view().pods[0]).toMatchObject({
      cpu: { requested: 500, used: null },
      memory: { requested: 2048 * 2 ** 20 },
      phase: 'Running',
      ready: true,
    })
  })
})

describe('what would happen if asked now', () => {
  const resized = (agoMs: number) =>
    permitObject({
      name: 'resize-1',
      requester: 'rightsize',
      class: 'cost',
      verb: 'resize',
      purpose: 'resize',
      workload: 'monitoring/Deployment/alloy',
      grantedAgo: agoMs + second,
      releasedAgo: agoMs,
      status: { decision: 'Granted', releasedAt: ago(agoMs), ending: 'done' },
    })

  test('D17: a cool-down, with the time at which it ends and how long that is', () => {
    const halfPastTwo = Date.parse('2025-12-19T14:30:00+01:00')
    const agoMs = nowMs - Date.parse('2025-12-19T14:20:00+01:00')
    const picture = pictureOf([...homelab(), resized(agoMs)], { nowMs: halfPastTwo })
    const view = viewOf(picture, 'monitoring/Deployment/alloy')
    expect(wouldBe(view)).toContain('deschedule: CoolDown until 20:20 (in 5h50m)')
    expect(view.wouldBe.find(({ capability }) => capability === 'deschedule')).toMatchObject({
      allowed: false,
      rule: 'CoolDown',
      until: '2025-12-19T19:20:00Z',
    })
    expect(texts(view.verdict.sentences).join(' ')).not.toContain('Cannot move')
  })

  test('what KEDA owns, in the words of the ledger', () => {
    const scaler = {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: 'sonarr', namespace: 'media', uid: 's' },
      spec: { scaleTargetRef: { name: 'sonarr' } },
    }
    const view = viewOf(pictureOf([...homelab(), scaler]), 'media/Deployment/sonarr')
    expect(wouldBe(view)).toContain('deschedule: KedaManaged: owned by KEDA (ScaledObject sonarr)')
    expect(view.owner).toEqual({ value: 'keda', origin: 'ScaledObject sonarr' })
    expect(texts(view.verdict.sentences)).toContain('Cannot move: owned by KEDA (ScaledObject sonarr) (KedaManaged).')
  })

  test('of capabilities that are off nothing is said', () => {
    const picture = pictureOf(homelab(), { capabilities: ['reload'] })
    expect(viewOf(picture, 'monitoring/Deployment/alloy').wouldBe.map(({ capability }) => capability)).toEqual(['reload'])
  })

  test('nothing in its way: allowed', () => {
    const view = viewOf(pictureOf(homelab()), 'monitoring/Deployment/alloy')
    expect(wouldBe(view)).toContain('reload: allowed')
    expect(view.verdict.level).toBe('good')
  })
})

describe('what was done to it', () => {
  const moved = () =>
    permitObject({
      key: 'uid-talos-7f3c/m01',
      pod: 'mimir-querier-x2k9p',
      grantedAgo: 2 * hour,
      releasedAgo: 2 * hour - 21 * second,
    })

  test('moved once, for which goal, and nothing more is planned', () => {
    const over = planWith(plan, { status: { phase: 'Succeeded' } })
    const view = viewOf(pictureOf([...homelab(), over, moved()]), 'monitoring/Deployment/mimir-querier')
    expect(texts(view.verdict.sentences)).toEqual([
      'Moved once within a day, from talos00 to talos03, for goals cp-light, use-talos03.',
      'Nothing is planned for it now.',
    ])
    const row = view.history.find(({ sign }) => sign === '●')
    expect(row).toMatchObject({
      who: 'deschedule',
      sentence: { text: 'moved mimir-querier-x2k9p talos00 → talos03, 21s' },
      permit: 'monitoring/evict-mimir-querier-7',
    })
  })

  test('is planned to move', () => {
    const view = viewOf(pictureOf([...homelab(), plan]), 'minio/StatefulSet/minio')
    expect(texts(view.verdict.sentences)).toEqual(['A move from talos00 to talos03 is planned (talos-7f3c).'])
  })

  test('is under way now', () => {
    const out = permitObject({ grantedAgo: 14 * second, releasedAgo: undefined })
    const { verdict } = viewOf(pictureOf([...homelab(), out]), 'monitoring/Deployment/mimir-querier')
    expect([verdict.level, verdict.sentences.at(-1)?.text]).toEqual(['acting', 'Evict by deschedule is under way for 14s.'])
  })

  test('D16: what went along is told as merged', () => {
    const joined = {
      requester: 'deschedule',
      class: 'balance',
      verb: 'restart',
      purpose: 'move',
      reasons: [],
      idempotencyKey: 'd/1',
    }
    const restart = permitObject({
      name: 'restart-1',
      requester: 'reload',
      verb: 'restart',
      purpose: 'reload',
      joined: [joined],
      reasons: [{ code: 'reload', message: 'new Secret web-db' }],
    })
    const { history } = viewOf(pictureOf([...homelab(), restart]), 'monitoring/Deployment/mimir-querier')
    expect(history.map(({ sign, who }) => `${sign} ${who}`)).toEqual(expect.arrayContaining(['● reload', '⋈ deschedule']))
  })

  test('history is newest first, in pages that follow on each other', () => {
    const permits = Array.from({ length: 7 }, (_, at) =>
      permitObject({ name: `p-${at}`, grantedAgo: (Math.floor(at / 2) + 1) * hour }),
    )
    const picture = pictureOf([...homelab(), ...permits])
    const ref = refOf('monitoring/Deployment/mimir-querier')
    const whole = historyPage(picture, ref, {})
    if (isNotThere(whole)) throw new Error('not there')
    const seen = []
    for (let cursor: string | undefined; ; ) {
      const page = historyPage(picture, ref, { limit: 3, ...(cursor === undefined ? {} : { cursor }) })
      if (isNotThere(page)) throw new Error('not there')
      seen.push(...page.history)
      if (page.next === null) break
      cursor = page.next
    }
    expect(seen).toEqual(whole.history)
    expect(whole.history.map(({ at }) => at)).toEqual(
      whole.history
        .map(({ at }) => at)
        .toSorted()
        .reverse(),
    )
    expect(seen.length).toBeGreaterThanOrEqual(7)
  })
})

describe('names', () => {
  const sentenceOf = (text: string, ...objects: readonly KubeObject[]) => {
    const view = workloadViewOf(pictureOf([...homelab(), ...objects]), refOf(text), everything)
    return isNotThere(view) ? view.sentence.text : undefined
  }

  // biome-ignore format: a table
  test.each([
    ['nearly spelt', 'media/Deployment/sonar', 'No workload media/sonar. Did you mean media/sonarr?'],
    ['of another kind', 'registry/Deployment/nexus', 'No workload registry/nexus. Did you mean StatefulSet registry/nexus?'],
    ['like nothing there is', 'media/Deployment/zzzzzzzz', 'No workload media/zzzzzzzz.'],
    ['in another namespace', 'registry/Deployment/sonarr', 'No workload registry/sonarr. Did you mean media/sonarr?'],
    ['of a kind that is none', 'media/Nonsense/sonarr', 'No workload media/sonarr.'],
  ])('%s', (_, text, sentence) => {
    expect(sentenceOf(text)).toBe(sentence)
  })

  test('as kubectl takes kinds, and of a pod', () => {
    const picture = pictureOf(homelab())
    expect(viewOf(picture, 'media/deploy/sonarr').ref).toEqual({ kind: 'Deployment', namespace: 'media', name: 'sonarr' })
    const [pod] =
      picture.state.podsOf('uid-nothing').length === 0
        ? [...picture.state.pods.values()].filter(({ name }) => name.startsWith('sonarr'))
        : []
    expect(viewOf(picture, `media/Pod/${pod?.name}`).ref).toEqual({ kind: 'Deployment', namespace: 'media', name: 'sonarr' })
  })

  test('a pod that nobody controls is its own page', () => {
    const bare: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'bare', namespace: 'media', uid: 'pod-bare' },
      spec: { nodeName: 'talos03', containers: [{ name: 'main' }] },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    }
    const view = viewOf(pictureOf([...homelab(), bare]), 'media/Pod/bare')
    expect([view.ref.kind, view.pods[0]?.name, view.ready]).toEqual(['Pod', 'bare', { wanted: 1, ready: 1 }])
  })

  test('of a namespace that the viewer may not see', () => {
    const view = workloadViewOf(pictureOf(homelab()), refOf('media/Deployment/sonarr'), { ...everything, sees: () => false })
    expect(isNotThere(view) && view.sentence.code).toBe('workload-not-seen')
  })
})

describe('what is gone', () => {
  const trace = permitObject({ name: 'evict-old-1', workload: 'shop/Deployment/old', grantedAgo: 4 * hour })
  const killing: KubeObject = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'k', namespace: 'shop', creationTimestamp: ago(3 * hour) },
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'old-5d8f7c9b4-x2k9p' },
    firstTimestamp: ago(3 * hour),
    reason: 'Killing',
    message: 'Stopping container main',
    source: { component: 'kubelet' },
  }

  test('keeps its history while the ledger has it, and says since when it is gone', () => {
    const view = viewOf(pictureOf([...homelab(), trace, killing]), 'shop/Deployment/old')
    expect(view.verdict.sentences[0]?.text).toBe('Deleted 3h ago.')
    expect([view.deletedAt, view.pods, view.buttons, view.ready]).toEqual([ago(3 * hour), [], [], null])
    expect(view.history.some(({ sign }) => sign === '●')).toBe(true)
  })

  test('without a trace of the deletion says only that', () => {
    expect(viewOf(pictureOf([...homelab(), trace]), 'shop/Deployment/old').verdict.sentences[0]?.text).toBe(
      'It is gone. The last that is known of it is from 4h ago.',
    )
  })
})

describe('the list', () => {
  test('has every workload with its sums, those without pods too, in order', () => {
    const none: KubeObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'asleep', namespace: 'media', uid: 'u' },
      spec: { replicas: 0 },
    }
    const { workloads, total } = workloadRows(pictureOf([...homelab(), none]), { namespace: 'media', limit: 500 })
    expect(workloads.find(({ ref }) => ref.name === 'asleep')).toMatchObject({ pods: 0, ready: 0, owner: 'nobody', nodes: [] })
    expect(workloads.find(({ ref }) => ref.name === 'tdarr')).toMatchObject({
      pods: 1,
      cpu: 4000,
      memory: 16384 * 2 ** 20,
      nodes: ['talos02-gpu'],
      owner: 'none',
    })
    expect(total).toBe(workloads.length)
    const keys = workloads.map(({ ref }) => `${ref.namespace}/${ref.kind}/${ref.name}`)
    expect(keys).toEqual(keys.toSorted())
  })

  test('is paged and filtered', () => {
    const picture = pictureOf(homelab())
    const all = workloadRows(picture, { limit: 500 })
    const seen = []
    for (let cursor: string | undefined; ; ) {
      const page = workloadRows(picture, { limit: 7, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...page.workloads)
      if (page.next === null) break
      cursor = page.next
    }
    expect(seen).toEqual(all.workloads)
    expect(workloadRows(picture, { text: 'MIMIR' }).workloads.every(({ ref }) => ref.name.includes('mimir'))).toBe(true)
    expect(workloadRows(picture, { owner: 'keda' }).total).toBe(6)
    expect(workloadRows(picture, {}, { sees: namespace => namespace === 'minio' }).total).toBe(1)
  })

  test('depends on names, never on what they hold', () => {
    const secret: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'web-db', namespace: 'shop', uid: 's' },
      data: { password: 'aHVudGVyMg==' },
    }
    const spec = {
      volumes: [
        { name: 's', secret: { secretName: 'web-db' } },
        { name: 'c', configMap: { name: 'web' } },
      ],
    }
    const view = viewOf(
      pictureOf([...homelab(), ...workload('shop/web', { on: ['talos03'], spec }), secret]),
      'shop/Deployment/web',
    )
    expect(view.dependsOn).toEqual([
      { kind: 'Secret', namespace: 'shop', name: 'web-db' },
      { kind: 'ConfigMap', namespace: 'shop', name: 'web' },
    ])
    expect(JSON.stringify(view)).not.toContain('aHVudGVyMg==')
  })

  test('a full node says of what', () => {
    const view = viewOf(
      pictureOf([...homelab(), ...workload('shop/big', { on: ['talos02-gpu'], cpu: 9000, memoryMi: 100 })]),
      'shop/Deployment/big',
    )
    expect(view.pods[0]?.mayNot).toContainEqual({ node: 'talos00', because: 'full (cpu)' })
    expect(view.pods[0]?.mayGo).toEqual(['talos03'])
    expect(minute).toBe(60_000)
  })
})
