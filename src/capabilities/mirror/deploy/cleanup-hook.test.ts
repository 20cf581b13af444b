import { expect, test } from 'vitest'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { enabledCapabilities as capabilities } from '#process/enabled-capabilities.ts'
import { cleanupObjects } from './cleanup-hook.ts'

const release = plainRelease('ballast', 'ballast-system')

test('the cleanup for whoever has no Helm: the same objects, without hooks and without an account that may be gone', () => {
  const values = installationValues({ enable: ['mirror'] }, capabilities)
  const plain = cleanupObjects(values, { capabilities, release })
  const names = plain.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)
  expect(names).toEqual(['Service', 'DaemonSet', 'Job'].map(kind => `${kind} ballast-agent/ballast-mirror-cleanup`))
  expect(JSON.stringify(plain)).not.toMatch(/helm\.sh|serviceAccountName/)
  const none = installationValues({ enable: ['mirror'], set: ['capabilities.mirror.nodeConfiguration.mode=none'] }, capabilities)
  expect(cleanupObjects(none, { capabilities, release })).toEqual([])
})
