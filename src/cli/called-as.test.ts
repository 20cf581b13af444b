import { expect, test } from 'vitest'
import { calledAs, shownName, typedAs } from './called-as.ts'

const reporter = { NODE_NAME: 'n1', CONDITION_TYPE: 'A', CHECK_ENDPOINT: 'http://localhost:1' }
const chart = { RELOADER_NAMESPACE: 'tools', RELOADER_DEPLOYMENT_NAME: 'reloader' }

// biome-ignore format: a table
test.each([
  [['/bin/node', '/app/ballast.mjs', 'up'], 'node', {}, ['up']],
  [['/bin/node', '/app/ballast.mjs', '-v', '0', '-shared-dev-num', '2'], 'node', { NODE_NAME: 'n1', BALLAST_INTEL_GPU_PLUGIN: 'true' }, ['intel-gpu-plugin', '-v', '0', '-shared-dev-num', '2']],
  [['/bin/node', '/app/ballast.mjs', 'reloader', '--enable-ha'], 'node', {}, ['reloader', '--enable-ha']],
  [['/bin/node', '/manager/reloader', '--enable-ha'], 'node', {}, ['reloader', '--enable-ha']],
  [['/bin/node', '/app/reloader.mjs'], '/bin/node', {}, ['reloader']],
  [['/bin/node', '/app/ballast.mjs', '--enable-ha'], '/manager/reloader', {}, ['reloader', '--enable-ha']],
  [['/bin/node', '/bin/descheduler', '--policy-config-file=/policy-dir/policy.yaml'], 'node', {}, ['descheduler', '--policy-config-file=/policy-dir/policy.yaml']],
  [['/bin/node', '/bin/kubectl_complete-ballast', 'pl'], 'node', {}, ['__complete', 'pl']],
  [['/bin/node', '/bin/kubectl-ballast', 'plan'], 'node', {}, ['plan']],
  [['/bin/node', '/app/ballast.mjs', 'version'], '/bin/descheduler', {}, ['descheduler', 'version']],
  [['/bin/node', '/spegel', 'registry', '--registry-addr=:5000'], 'node', {}, ['spegel', 'registry', '--registry-addr=:5000']],
  [['/bin/node', '/app/ballast.mjs', 'configuration'], '/spegel', {}, ['spegel', 'configuration']],
  [['/bin/node', '/home/reloader/ballast'], 'node', {}, []],
  [['/bin/node', '/app/ballast.mjs'], '/reporter', {}, ['readiness-condition-reporter']],
  [['/bin/node', '/bin/readiness-condition-reporter', '-v=2'], 'node', {}, ['readiness-condition-reporter', '-v=2']],
  [['/bin/node', '/app/ballast.mjs'], 'node', reporter, ['readiness-condition-reporter']],
  [['/bin/node', '/app/constructor'], 'node', {}, []],
  [['/bin/node', '/app/ballast.mjs', '--log-format=json'], 'node', chart, ['reloader', '--log-format=json']],
  [['/bin/node', '/app/ballast.mjs'], 'node', chart, ['reloader']],
  [['/bin/node', '/app/ballast.mjs', 'controller'], 'node', chart, ['controller']],
  [['/bin/node', '/app/ballast.mjs', '--help'], 'node', chart, ['--help']],
  [['/bin/node', '/app/ballast.mjs', '--log-format=json'], 'node', { RELOADER_NAMESPACE: 'tools' }, ['--log-format=json']],
])('%j, started as %s with %j', (argv, argv0, environment, given) => {
  expect(calledAs({ argv, argv0, environment })).toEqual([argv[0], argv[1], ...given])
})

test.each([
  ['on the path', { PATH: '/usr/bin:/opt/bin' }, ['/opt/bin/ballast', 'bin/ballast'], 'ballast'],
  ['in a clone', { PATH: '/usr/bin:' }, ['bin/ballast'], 'bin/ballast'],
  ['without a path', {}, ['bin/ballast'], 'bin/ballast'],
  ['in the image', { PATH: '/usr/bin' }, [], 'ballast'],
  ['by npx', { PATH: '/opt/bin', npm_lifecycle_event: 'npx' }, ['/opt/bin/ballast'], 'npx ballast'],
])('%s it is typed so that it is found', (_name, environment, there, expected) => {
  expect(typedAs({ environment, launcher: 'bin/ballast', isThere: file => there.includes(file) })).toBe(expected)
})

test.each([
  ['/usr/bin/kubectl-ballast', 'kubectl ballast'],
  ['/usr/bin/ballast', 'ballast'],
])('%s is %s in its own help', (argv0, name) => {
  expect(shownName({ argv: ['/bin/node', '/app/ballast.mjs'], argv0 })).toBe(name)
  expect(shownName({ argv: ['/bin/node', argv0], argv0: 'node' })).toBe(name)
})
