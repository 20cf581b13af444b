import { expect, test } from 'vitest'
import { overridesIn, partsOf, upgradedImage } from './plugin-images.ts'
import { isOlder, semanticVersion } from './semantic-version.ts'

const digest = `sha256:${'a'.repeat(64)}`

// biome-ignore format: a table
test.each([
  ['intel/intel-gpu-plugin:0.36.0', { repository: 'intel/intel-gpu-plugin', name: 'intel-gpu-plugin', tag: '0.36.0' }],
  ['r.example:5000/intel-gpu-plugin', { repository: 'r.example:5000/intel-gpu-plugin', name: 'intel-gpu-plugin' }],
  ['r.example:5000/a/b:1', { repository: 'r.example:5000/a/b', name: 'b', tag: '1' }],
  [`a/b@${digest}`, { repository: 'a/b', name: 'b', digest }],
  [`a/b:1@${digest}`, { repository: 'a/b', name: 'b', tag: '1', digest }],
])('%s', (image, parts) => {
  expect(partsOf(image)).toEqual(parts)
})

// biome-ignore format: a table
test.each([
  ['intel/intel-gpu-plugin:0.34.1', 'intel/intel-gpu-plugin:0.36.0', 'is older'],
  ['intel/intel-gpu-plugin:0.36.0-rc1', 'intel/intel-gpu-plugin:0.36.0', 'comes before the release'],
  ['r.example:5000/intel-gpu-plugin:0.34.1', 'r.example:5000/intel-gpu-plugin:0.36.0', 'of a registry with a port, which upstream leaves'],
  ['intel/intel-gpu-plugin:0.36.0', 'intel/intel-gpu-plugin:0.36.0', 'is the one'],
  ['intel/intel-gpu-plugin:1.0.0', 'intel/intel-gpu-plugin:1.0.0', 'is newer'],
  ['intel/intel-gpu-plugin:devel', 'intel/intel-gpu-plugin:devel', 'is no version'],
  ['intel/intel-gpu-plugin', 'intel/intel-gpu-plugin', 'has no tag'],
  [`intel/intel-gpu-plugin@${digest}`, `intel/intel-gpu-plugin@${digest}`, 'has a digest'],
  ['intel/intel-npu-plugin:0.34.1', 'mine/npu@sha256:1', 'is what the installer says'],
  [`x/intel-npu-plugin@${digest}`, 'mine/npu@sha256:1', 'is what the installer says, whatever its digest'],
])('%s becomes %s: it %s', (image, next) => {
  expect(upgradedImage(image, { 'intel-npu-plugin': 'mine/npu@sha256:1' })).toBe(next)
})

test('variables of upstream name images', () => {
  const environment = {
    INTEL_GPU_PLUGIN_SHA: 'a@sha256:1',
    INTEL_IDXD_CONFIG_INITCONTAINER_SHA: 'b',
    INTEL_QAT_PLUGIN_SHA: '',
    PATH: '/bin',
  }
  expect(overridesIn(environment)).toEqual({ 'intel-gpu-plugin': 'a@sha256:1', 'intel-idxd-config-initcontainer': 'b' })
})

test('versions are ordered as semver has it', () => {
  const order = [
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1',
    'v1.2.0',
    '1.10.0',
  ]
  const versions = order.map(text => {
    const version = semanticVersion(text)
    if (version === undefined) throw new Error(text)
    return version
  })
  for (const [at, one] of versions.entries())
    for (const [against, other] of versions.entries())
      expect([at, against, isOlder(one, other)]).toEqual([at, against, at < against])
  for (const text of ['1.0', '1', '01.0.0', '1.0.0.0', '1.0.0-', '1.0.0-01', 'latest', '', `1.0.0-${'a'.repeat(200)}`])
    expect(semanticVersion(text)).toBe(undefined)
})
