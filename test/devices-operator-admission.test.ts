// The webhooks on Intel's kinds, asked over HTTPS by the API server of the twin: with certificates of our own, and nobody is written unasked.
import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { admissionConfiguration } from '../src/capabilities/devices/operator/admission.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { createPlugin, gpuImage, gpuPlugin, operatorCluster, pluginIn } from './operator-cluster.ts'
import { makePatient } from './patient-webhooks.ts'

const { signal } = new AbortController()
const configurations = ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'].map(
  plural => `${plural}.admissionregistration.k8s.io`,
)
const ours = (of: ControlledCluster) =>
  configurations.flatMap(plural => of.list(plural)).filter(({ metadata }) => metadata.name === 'ballast-devices')

/** What the server says to it: empty where it is taken. */
async function said(of: ControlledCluster, work: Promise<unknown>): Promise<string> {
  let answer: string | undefined
  work.then(
    () => (answer = ''),
    (error: unknown) => (answer = error instanceof Error ? error.message : String(error)),
  )
  await of.until(() => answer !== undefined, 60_000)
  return answer ?? ''
}

test('an object without an image gets one, and what cannot be is refused with the reason', async () => {
  await using of = await controlledCluster({ ...operatorCluster([]), hold: true })
  of.startController()
  await of.until(() => ours(of).length === 2, 60_000)
  await makePatient(of)
  const create = (name: string, spec: object) => said(of, createPlugin(of, gpuPlugin(name, spec)))
  const denied = 'admission webhook "objects.devices.ballast.dev" denied the request: '
  expect(await create('plain', { sharedDevNum: 2 })).toBe('')
  expect(pluginIn(of, 'plain')?.spec?.image).toBe(gpuImage)
  expect(await create('digest', { image: `r/intel-gpu-plugin@sha256:${'a'.repeat(64)}` })).toBe('')
  expect(await create('old', { image: 'intel/intel-gpu-plugin:0.34.1' })).toBe(
    `${denied}spec.image: found "intel/intel-gpu-plugin:0.34.1", expected version 0.36.0 or a later one`,
  )
  expect(await create('other', { image: 'intel/other:1.0' })).toContain('expected an image called intel-gpu-plugin')
  expect(await create('untagged', { image: 'intel/intel-gpu-plugin' })).toContain('expected a tag that is a version')
  expect(await create('packed', { image: gpuImage, preferredAllocationPolicy: 'packed', sharedDevNum: 1 })).toBe(
    `${denied}spec.preferredAllocationPolicy: found "packed" with sharedDevNum 1, expected a sharedDevNum above 1`,
  )
  expect(await create('both', { image: gpuImage, allowIDs: '0x56a0', denyIDs: '0x7d51 ' })).toBe(
    `${denied}spec.denyIDs: found "0x7d51 ", expected four lower-case hexadecimal digits without blanks, such as 0x56a0,0x7d51; spec.denyIDs: found together with allowIDs, expected one of both`,
  )
  // A pod with an enclave gets what goes with it, and nobody is asked about others.
  const sgx = { limits: { 'sgx.intel.com/epc': '1Mi' }, requests: { 'sgx.intel.com/epc': '1Mi' } }
  for (const [name, resources] of [
    ['enclave', sgx],
    ['any', {}],
  ] as const) {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default' },
      spec: { containers: [{ name: 'a', image: 'a', resources }] },
    }
    expect(await said(of, of.admin.resource<KubeObject>(builtIn.pods).create(pod, { namespace: 'default', signal }))).toBe('')
  }
  const annotations = of.list('pods').map(({ metadata }) => [metadata.name, metadata.annotations?.['sgx.intel.com/epc']])
  expect(annotations).toContainEqual(['enclave', '1Mi'])
  expect([...of.forbidden, ...of.errors]).toEqual([])
})

const fpgaKind = (resource: string) => ({ group: 'fpga.intel.com', version: 'v2', resource })

/** Who asks for one of `name`, by limits alone as people write it. */
function fpgaPod(name: string, asks: string): KubeObject {
  const resources = { limits: { [`fpga.intel.com/${asks}`]: '1' } }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'a', image: 'a', resources }] },
  }
}

test('a pod gets the device that a name stands for as soon as the name is there, on any replica', async () => {
  await using of = await controlledCluster({ ...operatorCluster([]), hold: true })
  of.startController()
  await of.until(() => ours(of).length === 2, 60_000)
  await makePatient(of)
  const create = (name: string, asks: string) =>
    said(of, of.admin.resource<KubeObject>(builtIn.pods).create(fpgaPod(name, asks), { namespace: 'default', signal }))
  const resourcesOf = (name: string) =>
    of
      .list<
        KubeObject & {
          readonly spec: { readonly containers: readonly { readonly resources?: unknown; readonly env?: unknown }[] }
        }
      >('pods')
      .find(({ metadata }) => metadata.name === name)?.spec.containers[0]
  expect(await create('early', 'loopback')).toBe(
    'admission webhook "fpga-pods.devices.ballast.dev" denied the request: container a: found fpga.intel.com/loopback, expected fpga.intel.com/ and the name of an AcceleratorFunction or FpgaRegion of the pod\'s namespace, or a device that one of them stands for',
  )
  const [interfaceId, afuId] = ['ce48969398f05f33946d560708be108a', 'd8424dc4a4a3c413f89e433683f9040b']
  const make = async (resource: string, kind: string, name: string, spec: object, namespace = 'default') =>
    of.admin
      .resource<KubeObject>(fpgaKind(resource))
      .create({ apiVersion: 'fpga.intel.com/v2', kind, metadata: { name, namespace }, spec }, { namespace, signal })
  await make('acceleratorfunctions', 'AcceleratorFunction', 'loopback', { interfaceId, afuId, mode: 'af' })
  await make('acceleratorfunctions', 'AcceleratorFunction', 'load', { interfaceId, afuId, mode: 'region' })
  await make('fpgaregions', 'FpgaRegion', 'arria10', { interfaceId })
  await make('fpgaregions', 'FpgaRegion', 'elsewhere', { interfaceId }, 'kube-system')
  await of.pass(5_000)
  const amounts = (device: string) => ({ limits: { [device]: '1' }, requests: { [device]: '1' } })
  expect(await create('there', 'loopback')).toBe('')
  expect(resourcesOf('there')?.resources).toEqual(
    amounts('fpga.intel.com/af-ce4.d84.zkiWk5jwXzOUbVYHCL4QithCTcSko8QT-J5DNoP5BAs'),
  )
  expect(await create('loaded', 'load')).toBe('')
  expect(resourcesOf('loaded')).toMatchObject({
    resources: amounts(`fpga.intel.com/region-${interfaceId}`),
    env: [
      { name: 'FPGA_REGION_1', value: interfaceId },
      { name: 'FPGA_AFU_1', value: afuId },
    ],
  })
  expect(await create('programs', 'arria10')).toBe('')
  expect(resourcesOf('programs')?.resources).toEqual(amounts(`fpga.intel.com/region-${interfaceId}`))
  expect(await create('other', 'elsewhere')).toContain('found fpga.intel.com/elsewhere')
  // A name that is gone is not taken any more.
  await of.admin.resource<KubeObject>(fpgaKind('acceleratorfunctions')).delete('loopback', { namespace: 'default', signal })
  await of.pass(5_000)
  expect(await create('late', 'loopback')).toContain('found fpga.intel.com/loopback')
  expect([...of.forbidden, ...of.errors]).toEqual([])
})

test('nobody is asked about pods with FPGAs where these are not served', async () => {
  await using of = await controlledCluster({ ...operatorCluster([], { devices: ['gpu'] }), hold: true })
  of.startController()
  await of.until(() => ours(of).length === 2, 60_000)
  const pod = fpgaPod('a', 'loopback')
  expect(await said(of, of.admin.resource<KubeObject>(builtIn.pods).create(pod, { namespace: 'default', signal }))).toBe('')
  expect(of.reads.filter(read => read.includes('fpga.intel.com/v2'))).toEqual([])
})

test('nobody asks where admission is none, and what was there is taken away', async () => {
  const nowhere = { clientConfig: () => ({ url: 'https://127.0.0.1:1/validate' }) }
  const before = admissionConfiguration('ValidatingWebhookConfiguration', ['gpu'], nowhere)
  await using of = await controlledCluster({ ...operatorCluster([before], { admission: 'none' }), hold: true })
  expect(ours(of)).toHaveLength(1)
  of.startController()
  await of.until(() => ours(of).length === 0, 60_000)
  await of.pass(120_000)
  expect(ours(of)).toEqual([])
  expect(await said(of, createPlugin(of, gpuPlugin('any', { image: 'intel/other:1.0' })))).toBe('')
  expect([...of.forbidden, ...of.errors]).toEqual([])
})
