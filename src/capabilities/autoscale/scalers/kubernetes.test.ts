import { describe, expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import { kubernetesResource, kubernetesWorkload } from './kubernetes.ts'
import type { ScalerKind } from './scaler.ts'
import { openedTrigger, scalerWorld } from './testdata/scaler-world.ts'

const { signal } = new AbortController()

const pod = (
  name: string,
  labels: Readonly<Record<string, string>>,
  phase: string,
  nodeName?: string,
  namespace = 'media',
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
  status: { phase },
})

const pods = [
  pod('a', { app: 'web' }, 'Running', 'n1'),
  pod('b', { app: 'web' }, 'Pending'),
  pod('c', { app: 'web' }, 'Running', 'n1'),
  pod('d', { app: 'web', tier: 'x' }, 'Unknown', 'n2'),
  pod('e', { app: 'web' }, 'Succeeded', 'n3'),
  pod('f', { app: 'web' }, 'Failed', 'n3'),
  pod('g', { app: 'db' }, 'Running', 'n1'),
  pod('h', { app: 'web' }, 'Running', 'n1', 'other'),
]
const data = {
  'ConfigMap/media/queue': {
    n: ' 5.5\n',
    i: '5',
    q: '2Ki',
    json: '{"a":{"b":7}}',
    text: '{"a":"1500m"}',
    yaml: 'a:\n  b: 9\n',
    no: 'many',
  },
  'Secret/media/queue': { n: '3', no: 'hunter2' },
}

async function read(kind: ScalerKind, type: string, metadata: Readonly<Record<string, string>>) {
  await using world = scalerWorld({ pods, data })
  try {
    await using scaler = await kind.open(openedTrigger(type, metadata, { index: 2 }), world)
    const [metric] = await scaler.metrics(signal)
    const { values, isActive } = await scaler.read('m', signal)
    return [metric?.type === 'External' ? metric.external.metric.name : undefined, values[0]?.value, isActive]
  } catch (error) {
    return (error as Error).message
  }
}

describe('kubernetes-workload', () => {
  const of = (metadata: Readonly<Record<string, string>>) => read(kubernetesWorkload, 'kubernetes-workload', metadata)
  test.each<[Readonly<Record<string, string>>, number, boolean]>([
    [{ podSelector: 'app=web', value: '1' }, 4, true],
    [{ podSelector: 'app=web', value: '1', groupByNode: 'true' }, 2, true],
    [{ podSelector: 'app in (web, db), !tier', value: '0.5', activationValue: '4' }, 4, false],
    [{ podSelector: 'app=none', value: '1' }, 0, false],
  ])('%o', async (metadata, value, isActive) => {
    expect(await of(metadata)).toEqual(['s2-workload-media', value, isActive])
  })

  test.each<[Readonly<Record<string, string>>, RegExp]>([
    [{ podSelector: 'app=web' }, /value must be a float greater than 0/],
    [{ podSelector: 'app=web', value: '0' }, /value must be a float greater than 0/],
    [{ podSelector: 'app=web', value: 'aa' }, /"value"/],
    [{ podSelector: '', value: '1' }, /podSelector/],
    [{ podSelector: '@bad', value: '1' }, /error parsing pod selector/],
    [{ podSelector: 'app=web', value: '1', activationValue: 'aa' }, /activationValue/],
  ])('%o is refused', async (metadata, message) => {
    expect(await of(metadata)).toMatch(message)
  })
})

describe('kubernetes-resource', () => {
  const of = (more: Readonly<Record<string, string>>) =>
    read(kubernetesResource, 'kubernetes-resource', {
      resourceKind: 'ConfigMap',
      resourceName: 'queue',
      targetValue: '5',
      ...more,
    })
  test.each<[Readonly<Record<string, string>>, string, number]>([
    [{ key: 'n' }, 'configmap-queue-n', 5.5],
    [{ key: 'i', valueType: 'int64' }, 'configmap-queue-i', 5],
    [{ key: 'q', valueType: 'quantity' }, 'configmap-queue-q', 2048],
    [{ key: 'json', format: 'json', valueLocation: 'a.b' }, 'configmap-queue-json', 7],
    [{ key: 'text', format: 'json', valueLocation: 'a', valueType: 'quantity' }, 'configmap-queue-text', 1.5],
    [{ key: 'yaml', format: 'yaml', valueLocation: 'a.b' }, 'configmap-queue-yaml', 9],
    [{ key: 'n', resourceKind: 'Secret' }, 'secret-queue-n', 3],
  ])('%o', async (more, tail, value) => {
    expect(await of(more)).toEqual([`s2-${tail}`, value, true])
  })

  test.each<[Readonly<Record<string, string>>, RegExp]>([
    [{ key: 'n', resourceKind: 'Pod' }, /must be one of/],
    [{ key: 'n', targetValue: '0' }, /greater than 0/],
    [{ key: 'n', valueLocation: 'a' }, /only supported with json or yaml/],
    [{ key: 'json', format: 'json' }, /valueLocation is required for json/],
    [{ key: 'n', valueType: 'int64' }, /no whole number/],
    [{ key: 'x' }, /key x not found in ConfigMap media\/queue/],
    [{ key: 'no' }, /a text of 4 characters, not a number/],
    [{ key: 'no', resourceKind: 'Secret' }, /^key no of Secret media\/queue has no number there$/],
    [{ key: 'n', resourceName: 'other' }, /other is not there/],
    [{ key: 'json', format: 'json', valueLocation: 'a.c' }, /got nothing/],
  ])('%o is an error', async (more, message) => {
    expect(await of(more)).toMatch(message)
  })
})
