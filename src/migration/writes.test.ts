import { expect, test } from 'vitest'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { refresh } from '../../test/sample-capability/capability.ts'
import { resourceOf } from './writes.ts'

const everything = {
  networkPolicy: { enabled: true },
  apiserver: { enabled: true },
  dashboard: { enabled: true },
  descheduler: { enabled: true },
  metrics: { serviceMonitor: { enabled: true } },
  prometheusRule: { enabled: true },
  namespace: { create: true },
}

test.each([
  { grafanaDashboard: { enabled: true, mode: 'Sidecar' } },
  { grafanaDashboard: { enabled: true, mode: 'GrafanaOperator' } },
  { grafanaDashboard: { enabled: true }, metrics: { podMonitor: { enabled: true } } },
])('a swap can write whatever an installation has: %j', more => {
  const capabilities = [...enabledCapabilities, refresh]
  const values = installationValues(
    { preset: { ...everything, ...more }, enable: capabilities.map(({ name }) => name) },
    capabilities,
  )
  const kinds = objects(values, { capabilities, release: plainRelease('ballast', 'ballast-system') })
  expect(kinds.length).toBeGreaterThan(20)
  for (const object of kinds) expect(resourceOf(object).version).toBe(object.apiVersion.split('/').at(-1))
})
