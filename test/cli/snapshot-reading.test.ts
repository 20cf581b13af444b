// How a live cluster is read for a snapshot, from an API server that does what large and changing ones do.
import { describe, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { RequestTimeoutError } from '#kube/client/connection-error.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { readCluster } from '../../src/cli/snapshot/snapshot-read.ts'
import { answer, refusal, type Scripted, ScriptedTransport, type SeenRequest } from '../scripted-transport.ts'

interface Served {
  readonly groupVersion: string
  readonly name: string
  readonly kind: string
  readonly verbs?: readonly string[]
}

type Answering = (request: SeenRequest) => Scripted | undefined

const pathOf = (groupVersion: string) => (groupVersion === 'v1' ? '/api/v1' : `/apis/${groupVersion}`)

/** Serves `kinds` by discovery; what `lists` does not answer is an empty list. */
function server(kinds: readonly Served[], lists: Answering): ScriptedTransport {
  const versions = [...new Set(kinds.map(({ groupVersion }) => groupVersion))].filter(version => version !== 'v1')
  const groups = Object.entries(Object.groupBy(versions, version => version.split('/')[0] ?? ''))
  return new ScriptedTransport(request => {
    if (request.path === '/api') return answer(200, { versions: ['v1'] })
    if (request.path === '/apis')
      return answer(200, {
        groups: groups.map(([name, of = []]) => ({ name, versions: of.map(groupVersion => ({ groupVersion })) })),
      })
    const scripted = lists(request)
    if (scripted !== undefined) return scripted
    const version = ['v1', ...versions].find(groupVersion => request.path === pathOf(groupVersion))
    if (version === undefined) return answer(200, { kind: 'List', apiVersion: 'v1', metadata: {}, items: [] })
    const resources = kinds
      .filter(({ groupVersion }) => groupVersion === version)
      .map(({ name, kind, verbs = ['get', 'list', 'watch'] }) => ({ name, kind, verbs, namespaced: true }))
    return answer(200, { groupVersion: version, resources })
  })
}

const core = (name: string, kind: string): Served => ({ groupVersion: 'v1', name, kind })
const named = (name: string, namespace?: string, more: object = {}) => ({
  metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...more },
})
const list = (kind: string, items: readonly object[], metadata: object = {}) =>
  answer(200, { kind: `${kind}List`, apiVersion: 'v1', metadata, items })

async function read(transport: ScriptedTransport) {
  await using stack = new AsyncDisposableStack()
  const clock = new VirtualClock(0)
  const api = openApi(transport, { clock, userAgent: 'test' })
  stack.defer(() => api.close())
  const leftOut: string[] = []
  const progress: string[] = []
  const objects: KubeObject[] = []
  const reading = readCluster({
    api,
    wants: ({ resource }) => resource !== 'events',
    signal: new AbortController().signal,
    onLeftOut: sentence => leftOut.push(sentence),
    onProgress: (kind, count) => progress.push(`${kind} ${count}`),
  })
  for await (const object of reading) objects.push(object)
  return { objects, leftOut, progress }
}

const shown = (objects: readonly KubeObject[]) =>
  objects.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`)

test('objects come by group, kind, namespace and name, whatever the order of the server, with version and kind first', async () => {
  const transport = server(
    [core('pods', 'Pod'), core('nodes', 'Node'), { groupVersion: 'apps/v1', name: 'deployments', kind: 'Deployment' }],
    ({ path }) => {
      if (path === '/api/v1/pods') return list('Pod', [named('b', 'x'), named('a', 'y'), named('a', 'x'), named('B', 'x')])
      if (path === '/api/v1/nodes') return list('Node', [named('n2'), named('n1')])
      return path === '/apis/apps/v1/deployments' ? list('Deployment', [named('d', 'x')]) : undefined
    },
  )
  const { objects } = await read(transport)
  expect(shown(objects)).toEqual([
    'v1 Node /n1',
    'v1 Node /n2',
    'v1 Pod x/B',
    'v1 Pod x/a',
    'v1 Pod x/b',
    'v1 Pod y/a',
    'apps/v1 Deployment x/d',
  ])
  expect(Object.keys(objects[0] ?? {})).toEqual(['apiVersion', 'kind', 'metadata'])
})

describe('what is listed', () => {
  const kinds: readonly Served[] = [
    core('pods', 'Pod'),
    core('events', 'Event'),
    core('componentstatuses', 'ComponentStatus'),
    { ...core('bindings', 'Binding'), verbs: ['create'] },
    { groupVersion: 'autoscaling/v2', name: 'horizontalpodautoscalers', kind: 'HorizontalPodAutoscaler' },
    { groupVersion: 'autoscaling/v1', name: 'horizontalpodautoscalers', kind: 'HorizontalPodAutoscaler' },
    { groupVersion: 'old.example/v1', name: 'pods', kind: 'Pod' },
  ]
  const transport = server(kinds, ({ path }) =>
    path.endsWith('/pods') ? list('Pod', [named('a', 'x', { uid: 'one' })]) : undefined,
  )

  test('is each kind once, in the version that its group names first, and what was not wanted is not asked for', async () => {
    await read(transport)
    const discovery = ['/api', '/apis', '/api/v1', '/apis/autoscaling/v2', '/apis/autoscaling/v1', '/apis/old.example/v1']
    const asked = transport.seen.map(({ path }) => path)
    expect(asked.filter(path => !discovery.includes(path)).sort()).toEqual([
      '/api/v1/pods',
      '/apis/autoscaling/v2/horizontalpodautoscalers',
      '/apis/old.example/v1/pods',
    ])
  })

  test('comes once, where two groups have the same object', async () =>
    expect(shown((await read(transport)).objects)).toEqual(['v1 Pod x/a']))
})

describe('a kind that cannot be read is told, and the rest is read', () => {
  const kinds = [core('nodes', 'Node'), core('pods', 'Pod'), core('secrets', 'Secret')]
  // biome-ignore format: a table
  test.each<[string, Scripted, readonly RegExp[]]>([
    ['that is forbidden',                             refusal(403, 'Forbidden', 'secrets is forbidden: User "u" cannot list'), [/^secrets may not be read.*User "u" cannot list/]],
    ['that went away since discovery',                refusal(404, 'NotFound', 'the server could not find the resource'),     [/^secrets are not served any more/]],
    ['whose aggregated server does not answer',       refusal(503, 'ServiceUnavailable', 'no endpoints'),                     [/^secrets cannot be listed.*no endpoints/]],
    ['that says it can be listed and cannot',         refusal(405, 'MethodNotAllowed', 'not allowed'),                        [/^secrets cannot be listed.*not allowed/]],
    ['whose answer is no list',                       answer(200, 'surprise'),                                               [/^secrets cannot be read/]],
    ['whose answer breaks off',                       answer(200, '{"kind":"SecretList","items":[{"metadata":{"na'),         [/^secrets cannot be read/]],
    ['of which some objects have no name',            list('Secret', [{ metadata: {} }, {}]),                                [/^secrets: 2 objects without a name/]],
  ])('%s', async (_what, scripted, sentences) => {
    const transport = server(kinds, ({ path }) => {
      if (path === '/api/v1/secrets') return scripted
      if (path === '/api/v1/pods') return list('Pod', [named('a', 'x')])
      return path === '/api/v1/nodes' ? list('Node', [named('n')]) : undefined
    })
    const { objects, leftOut } = await read(transport)
    expect(shown(objects)).toEqual(['v1 Node /n', 'v1 Pod x/a'])
    expect(leftOut).toEqual(sentences.map(sentence => expect.stringMatching(sentence)))
  })

  test('that does not come in time', async () => {
    const transport = server(kinds, ({ path }) => {
      if (path === '/api/v1/secrets') throw new RequestTimeoutError('no answer within 60 s')
      return path === '/api/v1/nodes' ? list('Node', [named('n')]) : undefined
    })
    const { objects, leftOut } = await read(transport)
    expect(shown(objects)).toEqual(['v1 Node /n'])
    expect(leftOut).toEqual([expect.stringMatching(/^secrets did not come in time.*within 60 s/)])
  })

  test('that is of a group that does not answer at all', async () => {
    const dead: Served = { groupVersion: 'dead.example/v1', name: 'things', kind: 'Thing' }
    const transport = server([core('pods', 'Pod'), dead], ({ path }) => {
      if (path === '/apis/dead.example/v1') return refusal(503, 'ServiceUnavailable', 'no endpoints')
      return path === '/api/v1/pods' ? list('Pod', [named('a', 'x')]) : undefined
    })
    const { objects, leftOut } = await read(transport)
    expect(shown(objects)).toEqual(['v1 Pod x/a'])
    expect(leftOut).toEqual([expect.stringMatching(/^dead\.example\/v1 does not answer.*no endpoints/)])
  })
})

test('a refused login and a cluster out of reach end it', async () => {
  const kinds = [core('pods', 'Pod')]
  const lost = (scripted: Scripted) => server(kinds, ({ path }) => (path === '/api/v1/pods' ? scripted : undefined))
  await expect(read(lost(refusal(401, 'Unauthorized')))).rejects.toThrow('Unauthorized')
  const gone = new ScriptedTransport(() => refusal(403, 'Forbidden', 'no discovery for you'))
  await expect(read(gone)).rejects.toThrow('no discovery for you')
})

describe('pages', () => {
  const paged = (atToken: (token: string) => Scripted) =>
    server([core('pods', 'Pod')], ({ path, query }) => {
      if (path !== '/api/v1/pods') return undefined
      if (query['continue'] !== undefined) return atToken(query['continue'])
      if (query['limit'] === undefined) return list('Pod', [named('a', 'x'), named('b', 'x'), named('new', 'x')])
      return list('Pod', [named('a', 'x')], { continue: 'second' })
    })

  test('are followed to the last', async () => {
    const { objects, progress } = await read(paged(() => list('Pod', [named('b', 'x')])))
    expect(shown(objects)).toEqual(['v1 Pod x/a', 'v1 Pod x/b'])
    expect(progress).toEqual(['pods 1', 'pods 2'])
  })

  test('whose snapshot expires midway give way to one whole list, without anything twice', async () => {
    const transport = paged(() => refusal(410, 'Expired', 'the provided continue parameter is too old'))
    const { objects, leftOut } = await read(transport)
    expect(shown(objects)).toEqual(['v1 Pod x/a', 'v1 Pod x/b', 'v1 Pod x/new'])
    expect(leftOut).toEqual([])
    expect(transport.seen.filter(({ path }) => path === '/api/v1/pods').map(({ query }) => query)).toEqual([
      { limit: '500' },
      { limit: '500', continue: 'second' },
      {},
    ])
  })

  test('that are refused midway leave the kind out whole: half of it would look like all', async () => {
    const { objects, leftOut } = await read(paged(() => refusal(403, 'Forbidden', 'not any more')))
    expect(objects).toEqual([])
    expect(leftOut).toEqual([expect.stringContaining('not any more')])
  })
})

test('an object as large as etcd takes and names of nobody come through as they are', async () => {
  const names = ['__proto__', 'constructor', 'a/../b', '\u0000', '🚢', 'x'.repeat(5000)]
  const huge = { metadata: { name: 'huge', namespace: 'x' }, data: { a: 'é'.repeat(750_000) } }
  const transport = server([core('configmaps', 'ConfigMap')], ({ path }) =>
    path === '/api/v1/configmaps' ? list('ConfigMap', [huge, ...names.map(name => named(name, name))]) : undefined,
  )
  const { objects, leftOut } = await read(transport)
  expect(leftOut).toEqual([])
  expect(objects.map(({ metadata }) => metadata.name).sort()).toEqual(['huge', ...names].sort())
  expect(objects.find(({ metadata }) => metadata.name === 'huge')?.['data']).toEqual(huge.data)
})
