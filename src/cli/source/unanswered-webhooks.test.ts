import { expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import { withoutUnansweredWebhooks } from './unanswered-webhooks.ts'

const service: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'played', namespace: 'x', annotations: { 'ballast.dev/twin-endpoint': 'https://127.0.0.1:4000' } },
}
const configuration = (kind: string, ...clientConfigs: unknown[]): KubeObject => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  metadata: { name: 'policy' },
  webhooks: clientConfigs.map((clientConfig, index) => ({ name: `w${index}.example.com`, clientConfig })),
})
const to = (name: string) => ({ service: { namespace: 'x', name } })

// biome-ignore format: a table
test.each<[string, KubeObject, number, string[]]>([
  ['a service of simulated pods',   configuration('ValidatingWebhookConfiguration', to('gone'), to('played')), 1, ['ValidatingWebhookConfiguration policy: 1 of 2 webhooks are left out, as nobody answers them here']],
  ['a service that is played',      configuration('MutatingWebhookConfiguration', to('played')),               1, []],
  ['an address on this machine',    configuration('MutatingWebhookConfiguration', { url: 'https://127.0.0.1:1/x' }, { url: 'https://[::1]:1/x' }), 2, []],
  ['an address elsewhere',          configuration('MutatingWebhookConfiguration', { url: 'https://hooks.example.com/x' }), 0, [expect.stringContaining('1 of 1')]],
  ['no address, or none that is one', configuration('MutatingWebhookConfiguration', undefined, null, { url: '::' }, {}), 0, [expect.stringContaining('4 of 4')]],
  ['a webhook that is null',        { ...configuration('MutatingWebhookConfiguration'), webhooks: [null] },     0, [expect.stringContaining('1 of 1')]],
  ['a kind of another name',        configuration('WebhookList', to('gone')),                                   1, []],
])('%s', (_what, object, kept, leftOut) => {
  const found = withoutUnansweredWebhooks([service, object])
  expect(found.leftOut).toEqual(leftOut)
  expect(found.objects[0]).toBe(service)
  expect(found.objects[1]?.['webhooks']).toHaveLength(kept)
})
