// Which pods count, and what of them: by their class and by what their containers ask for.
import { expect, test } from 'vitest'
import type { Pod } from '#kube/objects/objects.ts'
import { countedPod } from './node-pods.ts'
import type { HeldByPod } from './pod-resources-api.ts'

const holding = (devices: readonly string[]): HeldByPod => ({
  name: 'p',
  namespace: 'n',
  containers: [
    {
      ...{ name: 'c', cpuIds: [1], memory: [] },
      devices: devices.map(deviceId => ({ resourceName: 'gpu', deviceIds: [deviceId], topology: undefined })),
    },
  ],
})
const pod = (qosClass: string, cpus: readonly (string | undefined)[], first?: string): Pod => {
  const container = (cpu: string | undefined) => ({
    ...{ name: 'c', image: 'i' },
    ...(cpu === undefined ? {} : { resources: { requests: { cpu } } }),
  })
  const spec = { containers: cpus.map(container), ...(first === undefined ? {} : { initContainers: [container(first)] }) }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'n' }, spec, status: { qosClass } }
}

test.each([
  ['Guaranteed with whole processors', pod('Guaranteed', ['2']), [], true],
  ['in thousandths that are whole', pod('Guaranteed', ['2000m']), [], true],
  ['one container of two', pod('Guaranteed', ['500m', '1']), [], true],
  ['a container that only begins', pod('Guaranteed', ['500m'], '1'), [], true],
  ['Guaranteed with parts of processors', pod('Guaranteed', ['1500m']), [], false],
  ['without a request', pod('Guaranteed', [undefined]), [], false],
  ['with one that is none', pod('Guaranteed', ['many']), [], false],
  ['Burstable with a device', pod('Burstable', ['2']), ['a'], false],
  ['Burstable without', pod('Burstable', ['2']), [], undefined],
  ['BestEffort', pod('BestEffort', [undefined]), [], undefined],
  ['without a class', pod('', ['2']), [], undefined],
  ['gone from the API server, still with the kubelet', undefined, [], true],
])('%s', (_what, object, devices, expected) => expect(countedPod(holding(devices), object)?.hasOwnCpus).toBe(expected))
