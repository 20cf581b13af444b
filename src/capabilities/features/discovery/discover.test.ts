// What is found on machines that are made up, and what becomes of mistakes in files and configurations.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { InputError } from '#kube/problem.ts'
import { HostTree } from '#machines/host-tree.ts'
import { ourDiscovery } from '#test/real/features/our-discovery.ts'
import { registersOf } from '#test/real/features/processor-answers.ts'
import { writeTree } from '#test/real/features/tree-files.ts'
import type { Tree } from '#test/real/features/trees.ts'
import { featuresConfiguration } from '../config.ts'
import { readProcessor } from './cpu/cpuid-flags.ts'
import { noRegisters, type Registers } from './cpu/cpuid-registers.ts'
import { namesInCpuinfo } from './cpu/kernel-flags.ts'
import { ofAnswers, readCpuid } from './cpu/read-cpuid.ts'
import { readFeatureFile } from './local-source.ts'
import { readWorkerConfig } from './worker-config.ts'

const recordedTrees = join(import.meta.dirname, '../../../../test/fixtures/features/trees.json')
const noProcessor = ofAnswers('nobody', new Map())

function found(files: Tree['files'], config?: string) {
  const tree = { name: 'made up', about: '', files, ...(config === undefined ? {} : { config }) }
  const { spec, told } = ourDiscovery(tree, 'node-1', noProcessor)
  return { ...spec, labels: spec.labels ?? {}, told }
}

function attributes(spec: ReturnType<typeof found>, feature: string): unknown {
  // The cast: attributes are texts below `elements`.
  const all = spec.features.attributes as Readonly<Record<string, { readonly elements: unknown }>>
  return all[feature]?.elements
}

function devices(spec: ReturnType<typeof found>, feature: string): unknown {
  // The cast: each instance is its attributes.
  const all = spec.features.instances as Readonly<
    Record<string, { readonly elements: readonly { readonly attributes: unknown }[] }>
  >
  return all[feature]?.elements.map(element => element.attributes)
}

const graphics = {
  'sys/bus/pci/devices/0000:00:02.0/class': '0x030000\n',
  'sys/bus/pci/devices/0000:00:02.0/vendor': '0x8086\n',
  'sys/bus/pci/devices/0000:00:02.0/device': '0x7d51\n',
  'sys/bus/pci/devices/0000:00:02.0/subsystem_vendor': '0x1043\n',
  'sys/bus/pci/devices/0000:00:02.0/subsystem_device': '0x8694\n',
}

describe('sources', () => {
  test.each([
    ['6.12.25-talos', { full: '6.12.25-talos', major: '6', minor: '12', revision: '25' }],
    ['5.15.0-1078.el9+x~', { full: '5.15.0-1078.el9_x', major: '5', minor: '15', revision: '0' }],
    ['6.1', { full: '6.1', major: '6', minor: '1', revision: '' }],
    ['own', { full: 'own' }],
  ])('the kernel %s', (release, version) => {
    expect(attributes(found({ 'proc/sys/kernel/osrelease': `${release}\n` }), 'kernel.version')).toEqual(version)
  })

  test('a graphics card gets a label by its class and vendor', () => {
    expect(found(graphics).labels).toMatchObject({ 'feature.node.kubernetes.io/pci-0300_8086.present': 'true' })
  })

  test('fields of labels keep their order; one that is not known is told', () => {
    const { labels, told } = found(graphics, 'sources: {pci: {deviceLabelFields: [device, class, bogus]}}')
    expect(Object.keys(labels)).toContain('feature.node.kubernetes.io/pci-0300_7d51.present')
    expect(told.join()).toContain('bogus')
  })

  test('a USB device that leaves its class to its interfaces is one instance for each', () => {
    const place = 'sys/bus/usb/devices/1-2'
    const spec = found({
      [`${place}/bDeviceClass`]: '00\n',
      [`${place}/idVendor`]: '1a6e\n',
      [`${place}/idProduct`]: '089a\n',
      [`${place}/1-2:1.0/bInterfaceClass`]: '03\n',
      [`${place}/1-2:1.1/bInterfaceClass`]: 'ff\n',
    })
    const common = { vendor: '1a6e', device: '089a' }
    expect(devices(spec, 'usb.device')).toEqual([
      { ...common, class: '03' },
      { ...common, class: 'ff' },
    ])
    expect(Object.keys(spec.labels).filter(key => key.includes('usb-'))).toEqual([
      'feature.node.kubernetes.io/usb-ff_1a6e_089a.present',
    ])
  })

  test('huge pages are counted by their size', () => {
    const place = 'sys/kernel/mm/hugepages/hugepages'
    const spec = found({
      [`${place}-2048kB/nr_hugepages`]: '512\n',
      [`${place}-1048576kB/nr_hugepages`]: '0\n',
      [`${place}-64kB/nr_hugepages`]: '1\n',
    })
    expect(attributes(spec, 'memory.hugepages')).toEqual({
      enabled: 'true',
      'hugepages-1Gi': '0',
      'hugepages-2Mi': '512',
      'hugepages-64Ki': '1',
    })
  })

  test('what is not published is still there for rules of the node', () => {
    const config = `core: {noPublishFeatures: ["kernel.*"]}
sources:
  custom:
    - {name: tickless, labels: {tickless: "true"}, matchFeatures: [{feature: kernel.config, matchExpressions: {NO_HZ: y}}]}
`
    const spec = found({ 'proc/sys/kernel/osrelease': '6.1.0\n', 'boot/config-6.1.0': 'CONFIG_NO_HZ=y\n' }, config)
    expect(spec.labels).toMatchObject({ tickless: 'true', 'feature.node.kubernetes.io/kernel-config.NO_HZ': 'true' })
    expect(JSON.stringify(spec.features)).not.toContain('kernel.')
  })

  test('an empty file of SELinux is not enabled', () => {
    const spec = found({ 'sys/fs/selinux/enforce': '' })
    expect(attributes(spec, 'kernel.selinux')).toEqual({ enabled: 'false' })
  })

  test('links in a circle are told, and stop nothing', () => {
    const spec = found({
      ...graphics,
      'sys/bus/pci/devices/0000:00:09.0': { link: '0000:00:09.0' },
      'sys/class/net/loop': { link: 'loop' },
      'etc/kubernetes/node-feature-discovery/features.d/round': { link: 'round' },
      'etc/kubernetes/node-feature-discovery/features.d/good': 'here\n',
    })
    expect(devices(spec, 'pci.device')).toHaveLength(1)
    expect(spec.labels).toMatchObject({ here: 'true' })
    expect(spec.told.join('\n')).toContain('0000:00:09.0')
    expect(spec.told.join('\n')).toContain('"round"')
  })
})

test('cores, their threads and their kinds are counted', () => {
  const place = (cpu: number) => `sys/bus/cpu/devices/cpu${cpu}/topology`
  const siblings = ['0-1', '0-1', '2', '3']
  const spec = found({
    ...Object.fromEntries(
      siblings.flatMap((list, cpu) => [
        [`${place(cpu)}/thread_siblings_list`, `${list}\n`],
        [`${place(cpu)}/physical_package_id`, '0\n'],
      ]),
    ),
    'sys/devices/cpu_core/cpus': '0-1\n',
    'sys/devices/cpu_atom/cpus': '2-3\n',
  })
  const wanted = { logical_count: '4', physical_count: '3', core_types: 'core-atom', socket_count: '1' }
  expect(attributes(spec, 'cpu.topology')).toEqual({ ...wanted, hardware_multithreading: 'true' })
})

test('a module is found by either spelling, whether it is built in or loaded', () => {
  const release = '6.1.0'
  const spec = found({
    'proc/sys/kernel/osrelease': `${release}\n`,
    'proc/modules': 'snd_hda_intel 1 0 - Live 0x0\nkvm 1 0 - Live 0x0\n',
    [`lib/modules/${release}/modules.builtin`]: 'kernel/drivers/vfio/vfio-pci.ko\nkernel/sound/snd-hda_codec.ko\n',
  })
  expect(Object.keys(spec.features.flags['kernel.enabledmodule']?.elements ?? {})).toEqual([
    'kvm',
    'snd-hda-codec',
    'snd-hda-intel',
    'snd-hda_codec',
    'snd_hda_codec',
    'snd_hda_intel',
    'vfio-pci',
    'vfio_pci',
  ])
  // What is loaded is said as the kernel says it.
  expect(Object.keys(spec.features.flags['kernel.loadedmodule']?.elements ?? {})).toEqual(['kvm', 'snd_hda_intel'])
})

describe('feature files', () => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z')
  const read = (text: string) => {
    const { features, labels, problems, expiresMs } = readFeatureFile(text, nowMs)
    return { features: Object.fromEntries(features), labels: Object.fromEntries(labels), problems, expiresMs }
  }

  test('a directive is of the next line only', () => {
    expect(read('# +no-label\na=1\nb=2\n')).toMatchObject({ labels: { b: '2' }, features: { a: '1', b: '2' } })
    expect(read('# +no-feature\na=1\nb=2\n')).toMatchObject({ labels: { a: '1', b: '2' }, features: { b: '2' } })
  })

  test('a directive does not outlive a line that has expired', () => {
    expect(
      read('# +expiry-time=2001-01-01T00:00:00Z\n# +no-label\na=1\n# +expiry-time=2099-01-01T00:00:00Z\nb=2\n'),
    ).toMatchObject({
      labels: { b: '2' },
    })
  })

  test('an expiry holds until the next one, and says when the file changes by itself', () => {
    const text = '# +expiry-time=2001-01-01T00:00:00Z\nx=1\n# +expiry-time=2099-01-01T00:00:00Z\ny\n'
    expect(read(text)).toMatchObject({ labels: { y: 'true' }, expiresMs: Date.parse('2099-01-01T00:00:00Z') })
  })

  test.each([
    ['# +expiry-time=tomorrow\na=1\n', 'names no time'],
    ['# +expires=2099-01-01T00:00:00Z\na=1\n', '"expires" is none'],
  ])('a directive that cannot be read is told: %j', (text, why) => {
    const { problems, labels } = read(text)
    expect(problems.join()).toContain(why)
    expect(labels).toEqual({ a: '1' })
  })

  test('a later file wins', () => {
    const place = 'etc/kubernetes/node-feature-discovery/features.d'
    expect(found({ [`${place}/a`]: 'k=1\n', [`${place}/b`]: 'k=2\n' }).labels).toMatchObject({ k: '2' })
  })
})

describe('the configuration of a worker', () => {
  test.each([
    ['core: {ownerRefs: [pod, pod]}', 'core.ownerRefs', 'twice'],
    ['core: {ownerRefs: [nobody]}', 'core.ownerRefs', 'node'],
    ['core: {sleepInterval: soon}', 'core.sleepInterval', 'soon'],
    ['core: {labelWhiteList: "("}', 'core.labelWhiteList', '('],
    [
      'sources: {custom: [{name: x, matchFeatures: [{feature: a.b, matchExpressions: {c: {op: Like}}}]}]}',
      'sources.custom',
      'Like',
    ],
    ['core: [', 'nfd-worker.conf', ''],
  ])('%s is refused with its place', (text, where, what) => {
    let problems = ''
    try {
      readWorkerConfig(text, 'nfd-worker.conf', { tell: () => undefined })
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      problems = JSON.stringify(error.problems)
    }
    expect(problems).toContain(where)
    expect(problems).toContain(what)
  })

  test('a key that nobody knows is told, counts for nothing, and takes nothing along', () => {
    const told: string[] = []
    const text = 'core: {sleepIntervall: 1s, noPublish: true}\nsources: {pci: {deviceClassWhiteList: ["02"]}, gpu: {}}\n'
    const { core, sources } = readWorkerConfig(text, 'nfd-worker.conf', { tell: warning => void told.push(warning) })
    expect([core.noPublish, sources.pci.deviceClassWhitelist]).toEqual([true, ['03', '0b40', '12']])
    expect(told.map(warning => warning.split(' ')[1]).sort()).toEqual([
      'core.sleepIntervall',
      'sources.gpu',
      'sources.pci.deviceClassWhiteList',
    ])
    expect(() => featuresConfiguration.parse({ worker: { core: { sleepIntervall: '1s' } } })).toThrow('sleepIntervall')
  })

  test.each(['', 'core:\nsources:\n', '# nothing'])('%j is all defaults', text => {
    const { core, sources } = readWorkerConfig(text, 'nfd-worker.conf', { tell: () => undefined })
    expect(core.ownerRefs).toEqual(['pod', 'ds'])
    expect(sources.pci.deviceClassWhitelist).toEqual(['03', '0b40', '12'])
  })
})

describe('the processor', () => {
  const answering = (leaves: Readonly<Record<string, Partial<Registers>>>) =>
    ofAnswers('made up', new Map(Object.entries(leaves).map(([key, registers]) => [key, { ...noRegisters, ...registers }])))

  test('one bit stands for three flags, as upstream reads it', () => {
    const { flags } = readProcessor(answering({ '0.0': { eax: 1 }, '1.0': { ecx: 1, edx: 1 << 26 } }))
    expect([...flags].sort()).toEqual(['OSXSAVE', 'SSE2', 'SSE3', 'XSAVE'])
  })

  test.runIf(process.arch === 'x64' && process.platform === 'linux')(
    'this one is asked by the program that is written for it',
    () => {
      const told: string[] = []
      const source = readCpuid(
        new HostTree({ hostPrefix: '/', ownRoot: '/' }),
        'x64',
        (what, about) => void told.push(what + JSON.stringify(about)),
      )
      expect(told).toEqual([])
      if (source.kind !== 'registers') throw new Error(source.way)
      expect(source.way).toBe('helper')
      const { flags } = readProcessor(source)
      expect([...flags]).toEqual(expect.arrayContaining(['SSE2', 'CMOV', 'X86_64_V1']))
    },
  )

  test('the guest of a Zen 5 says what it is', () => {
    const { processor } = JSON.parse(readFileSync(recordedTrees, 'utf8'))
    const read = readProcessor(registersOf(processor))
    expect(read).toMatchObject({ vendor: 'AMD', family: 26, model: 2, hypervisor: 'KVMKVMKVM' })
    expect([...read.flags]).toEqual(expect.arrayContaining(['X86_64_V1', 'X86_64_V2', 'X86_64_V3', 'X86_64_V4']))
  })

  test('where it cannot be asked its flags are those that the kernel tells', () => {
    const root = mkdtempSync(join(tmpdir(), 'ballast-discover-'))
    try {
      const cpuinfo =
        'vendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nflags\t\t: fpu sse2 sse4_1 lahf_lm avx2 nonsense hypervisor\n'
      writeTree(root, { files: { 'proc/cpuinfo': cpuinfo } })
      const source = namesInCpuinfo(
        new HostTree({ hostPrefix: `${root}/`, ownRoot: root }),
        new Set(['X87', 'SSE2', 'SSE4', 'LAHF', 'AVX2']),
      )
      expect(source).toMatchObject({ way: 'cpuinfo', vendor: 'AMD', family: 26, model: 2, hypervisor: true })
      expect(source?.flags).toEqual(new Set(['X87', 'SSE2', 'SSE4', 'LAHF', 'AVX2']))
    } finally {
      rmSync(root, { recursive: true })
    }
  })

  test('a kind of processor that is not known is an error that names it', () => {
    const nowhere = new HostTree({ hostPrefix: '/nowhere/', ownRoot: '/nowhere' })
    expect(() => readCpuid(nowhere, 'ppc64', () => undefined)).toThrow('ppc64')
  })
})
