// What each page says in each state that a cluster, its server or its viewer can be in: the matrix of docs/dashboard.md, as the server writes
// it. The same is looked at in a browser by test/real/browser/states.ts.
import { expect, onTestFinished, test } from 'vitest'
import { plan } from '#coordination/plans/testdata/objects.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Source } from '../contract.ts'
import type { Picture } from '../picture.ts'
import { nothingRead } from '../source/nothing-read.ts'
import { bookWith, homelab, pictureOf } from '../views/testdata/homelab.ts'
import { apiPath } from '../words/links.ts'
import { startTestDashboard } from './dashboard-for-tests.ts'

const made = plan()
const approved = { ...made, status: { phase: 'Approved' as const } }
const book = bookWith({ plans: [approved] })
const objects = homelab()
const whole = pictureOf(objects, { book })

const source = (name: string, state: Source['state'], because: string | null, lastAt: string | null = null): Source => ({
  name,
  state,
  lastAt,
  limitMs: 60_000,
  because,
})
const nobody = 'No controller leads here: nobody renews the Lease ballast-controller in ballast-system'
const onlyMedia = 'Only the namespace media is shown: your account may not list pods in all namespaces'
const inMedia = objects.filter(({ kind, metadata }) => kind !== 'Node' && metadata.namespace === 'media')

/** `pods` pods of `sets` StatefulSets, all on one node. */
function many(pods: number, sets: number): readonly KubeObject[] {
  const names = Array.from({ length: sets }, (_, at) => ({ name: `s-${at}`, namespace: `team-${at % 50}`, uid: `set-${at}` }))
  const owners = names.map((metadata): KubeObject => ({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec: {} }))
  const owned = Array.from({ length: pods }, (_, at): KubeObject => {
    const { name, namespace, uid } = names[at % sets] ?? { name: '', namespace: '', uid: '' }
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name, uid, controller: true }]
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `${name}-${at}`, namespace, uid: `uid-${at}`, ownerReferences },
      spec: { nodeName: 'talos00', containers: [{ name: 'a', image: 'a' }] },
      status: { phase: 'Running' },
    }
  })
  return [...owners, ...owned]
}

const states = {
  loading: { ...whole, ...nothingRead, loading: { shown: 'examples/talos-homelab', loaded: 61, total: 412 } },
  forbidden: pictureOf(inMedia, {
    sources: [source('api', 'live', null), source('other-namespaces', 'down', onlyMedia)],
    denied: new Set(['nodes', 'rebalanceplans.ballast.dev', 'disruptionpermits.ballast.dev', 'rebalancepolicies.ballast.dev']),
  }),
  gone: pictureOf(objects, {
    book,
    sources: [source('api', 'down', 'The API server has not answered for 20m: no answer within 30 s', '2025-12-19T12:43:20Z')],
  }),
  leaderless: pictureOf(objects, { book, sources: [source('api', 'live', null), source('controller', 'down', nobody)] }),
  empty: pictureOf([]),
  stale: pictureOf(objects, {
    book,
    sources: [source('api', 'stale', 'The API server has not answered for 2m', '2025-12-19T13:01:20Z')],
  }),
  many: pictureOf([...objects, ...many(30_000, 1_000)], { book }),
} as const satisfies Readonly<Record<string, Picture>>

const loading = 'Loading examples/talos-homelab: 61 of 412 objects'
const noNodes = 'You may not see nodes: your account lacks list on nodes.'
const noPlans = 'You may not see plans: your account lacks list on rebalanceplans (ballast.dev).'
const noPermits = 'You may not see permits: your account lacks list on disruptionpermits (ballast.dev) in ballast-system.'
const silent = 'The API server has not answered for 20m: no answer within 30 s.'
const late = 'The API server has not answered for 2m.'
const leads = `${nobody}.`
const thing = 'There is no'

/** Words of each page, in the order of the columns: loading, forbidden, gone, leaderless, empty, stale, many. */
const matrix: readonly (readonly [path: string, ...words: readonly string[]])[] = [
  [
    '/',
    loading,
    noNodes,
    'The API server has not answered for 20m',
    `${leads} Nothing is planned`,
    'The cluster has no nodes.',
    'What follows is from',
    '30,1',
  ],
  ['/plan', loading, noPlans, silent, leads, 'No plan is kept.', late, 'talos-0'],
  ['/plan/talos-0', loading, noPlans, silent, `${leads} Nothing is planned`, thing, late, 'm01'],
  ['/plan/talos-0/replay', loading, noPlans, silent, leads, thing, late, 'Steps'],
  ['/rebalancing', loading, noNodes, silent, leads, 'No plan is kept', late, 'talos00'],
  ['/permits', loading, noPermits, silent, leads, 'No permits yet.', late, 'No permits yet.'],
  ['/workloads', loading, 'media/sonarr', silent, leads, 'The cluster has no workloads.', late, 'The first 100 of'],
  ['/workload/media/Deployment/sonarr', loading, 'If asked now', silent, leads, 'No workload media/sonarr', late, 'If asked now'],
  ['/node/talos00', loading, noNodes, silent, leads, thing, late, 'The first 100 of 30,0'],
  ['/images', loading, noNodes, silent, leads, 'No node lists an image', late, 'Image mirrors by node'],
  ['/twin', loading, 'A simulated cluster', silent, leads, 'A simulated cluster', late, 'A simulated cluster'],
  ['/settings', loading, 'dashboard.listen', silent, leads, 'dashboard.listen', late, 'dashboard.listen'],
  ['/help', loading, 'How to set a goal', silent, leads, 'How to set a goal', late, 'How to set a goal'],
]

/** What is read of a page: what is for browsers without a script too, and no data. */
function read(html: string): string {
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return html
    .replace(/<script type="application\/json".*?<\/script>/s, '')
    .replace(/<head>.*?<\/head>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? '')
    .replace(/\s+/g, ' ')
    .replace(/ ([.,;:])/g, '$1')
}

test.each(Object.entries(states).map(([state, picture], column) => ({ state, picture, column })))(
  'every page in the state $state',
  async ({ state, picture, column }) => {
    const twin = { source: 'examples/talos-homelab', seed: 1, clock: undefined, faults: [] }
    const dashboard = await startTestDashboard({ picture: { ...picture, mode: 'twin', twin } })
    onTestFinished(() => dashboard[Symbol.asyncDispose]())
    const wrong: string[] = []
    for (const [path, ...words] of matrix) {
      const wanted = words[column] ?? ''
      const { text, status } = await dashboard.ask(path, { headers: { accept: 'text/html' } })
      const shown = read(text)
      if (!shown.includes(wanted)) wrong.push(`${path} says no ${JSON.stringify(wanted)}: ${shown.slice(0, 700)}`)
      if ((status === 404) !== /There is no|No workload /.test(wanted)) wrong.push(`${path} is ${status}`)
      if (/https?:\/\/\S+\/api/.test(shown)) wrong.push(`${path} shows an address of the API`)
      if (state === 'leaderless' && /[Tt]he next plan is made|Starts by itself|It starts/.test(shown))
        wrong.push(`${path} announces`)
      if (state === 'forbidden' && /\b0 (nodes?|pods?)\b|Nodes 0/.test(shown)) wrong.push(`${path} shows a zero`)
      if (text.length > 250_000) wrong.push(`${path} has ${text.length} bytes`)
    }
    expect(wrong).toEqual([])
  },
)

test('the API says the same of what may not be read', async () => {
  await using dashboard = await startTestDashboard({ picture: states.forbidden })
  for (const [segment, message] of [
    ['overview', noNodes],
    ['plans', noPlans],
    ['permits', noPermits],
  ] as const) {
    const { status, json } = await dashboard.ask(apiPath([segment]))
    expect([status, json]).toMatchObject([403, { error: { code: 'reading-forbidden', message } }])
  }
  const { json } = await dashboard.ask(apiPath(['workloads']))
  expect(JSON.stringify(json)).toContain('sonarr')
})
