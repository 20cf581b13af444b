import { expect, test } from 'vitest'
import { notYet } from './not-yet.ts'

test.each([
  ['deschedule', 'expected descheduler: the name of the upstream'],
  ['reload', 'expected reloader: the name of the upstream'],
  ['metrics', 'expected metrics-server: the name of the upstream'],
  ['mirror', 'expected spegel: the name of the upstream'],
  ['autoscale', 'expected keda: the name of the upstream'],
  ['devices', 'expected intel-device-plugins: the name of the upstream'],
  ['features', 'expected nfd: the name of the upstream'],
  ['node-feature-discovery', 'expected nfd: the name of the upstream'],
  ['nfs', 'expected csi-driver-nfs: the name of the upstream'],
  ['vpa', 'does not replace VPA yet: keep it as it is'],
  ['relaoder', 'found "relaoder", expected reloader'],
  ['descheduller', 'found "descheduller", expected descheduler'],
  [
    'thing',
    'expected amd-device-plugin, csi-driver-nfs, descheduler, http-add-on, intel-device-plugins, keda, metrics-server, nfd, nfs-subdir-external-provisioner, reloader or spegel, which can be moved so far',
  ],
])('%s', (name, words) => {
  const said = notYet(name)
  expect(said).toContain(words)
  expect(said).toMatch(
    /^found ".*", expected (amd-device-plugin|csi-driver-nfs|descheduler|http-add-on|intel-device-plugins|keda|metrics-server|nfd|nfs-subdir-external-provisioner|reloader|spegel)/,
  )
})
