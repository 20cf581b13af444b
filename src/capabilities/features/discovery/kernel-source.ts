// The kernel: version, configuration, modules, SELinux, KVM.

import { gunzipSync } from 'node:zlib'
import type { HostTree } from '#machines/host-tree.ts'
import type { FeatureSet } from '../matching/feature-set.ts'
import { attributesOf, Found, type Labels, type Machine } from './source.ts'

interface KernelSettings {
  /** A file that is looked at first. */
  readonly kconfigFile: string
  /** Options that get a label. */
  readonly configOpts: readonly string[]
}

/** The configuration of a kernel, unpacked; real ones have 300 KiB. */
const mostConfigBytes = 16 * 1024 * 1024

export function discoverKernel({ tree, tell }: Machine, settings: KernelSettings): FeatureSet {
  const found = new Found('kernel')
  const release = tree.text(tree.own('proc/sys/kernel/osrelease'))
  if (release === undefined) tell('the version of the kernel cannot be read', { path: 'proc/sys/kernel/osrelease' })
  else found.attributes('version', readVersion(release))
  const config = kernelConfig(tree, release, settings)
  if (config === undefined) tell('no configuration of the kernel was found', { release })
  else found.attributes('config', config)
  modules({ tree, tell }, release, found)
  security({ tree, tell }, found)
  return found.features
}

export function kernelLabels(features: FeatureSet, { configOpts }: KernelSettings): Labels {
  const labels = new Map<string, string>()
  for (const [part, value] of attributesOf(features, 'kernel.version')) labels.set(`version.${part}`, value)
  const config = attributesOf(features, 'kernel.config')
  for (const option of configOpts) {
    const value = config.get(option)
    if (value !== undefined) labels.set(`config.${option}`, value === 'y' || value === 'm' ? 'true' : value)
  }
  if (attributesOf(features, 'kernel.selinux').get('enabled') === 'true') labels.set('selinux.enabled', 'true')
  return labels
}

function readVersion(release: string): readonly (readonly [string, string])[] {
  // A label's value begins and ends with a letter or a digit.
  const full = release.replace(/[^-A-Za-z0-9_.]/gu, '_').replace(/^[-_.]+|[-_.]+$/g, '')
  const parts = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-.*)?$/.exec(full)
  if (parts === null) return [['full', full]]
  const [, major = '', minor = '', revision = ''] = parts
  return [
    ['full', full],
    ['major', major],
    ['minor', minor],
    ['revision', revision],
  ]
}

function kernelConfig(
  tree: HostTree,
  release: string | undefined,
  { kconfigFile }: KernelSettings,
): ReadonlyMap<string, string> | undefined {
  const paths = [
    ...(kconfigFile === '' ? [] : [tree.own(kconfigFile)]),
    tree.own('proc/config.gz'),
    ...(release === undefined
      ? [tree.host('usr/src/linux/.config')]
      : [
          tree.host(`usr/src/linux-${release}/.config`),
          tree.host(`usr/src/linux-rt-${release}/.config`),
          tree.host('usr/src/linux/.config'),
          tree.host(`usr/lib/modules/${release}/config`),
          tree.host(`usr/lib/ostree-boot/config-${release}`),
          tree.host(`usr/lib/kernel/config-${release}`),
          tree.host(`usr/src/linux-headers-${release}/.config`),
          tree.own(`lib/modules/${release}/build/.config`),
          tree.host(`usr/src/linux-rt-headers-${release}/.config`),
          tree.host(`boot/config-${release}`),
        ]),
  ]
  for (const path of paths) {
    const text = configText(tree, path)
    if (text !== undefined) return readConfig(text)
  }
  return undefined
}

function configText(tree: HostTree, path: string): string | undefined {
  const bytes = tree.bytes(path)
  if (bytes === undefined || !path.endsWith('.gz')) return bytes?.toString('utf8')
  try {
    return gunzipSync(bytes, { maxOutputLength: mostConfigBytes }).toString('utf8')
  } catch {
    // What is not packed so is no configuration: the next path is looked at.
    return undefined
  }
}

function readConfig(text: string): ReadonlyMap<string, string> {
  const config = new Map<string, string>()
  for (const line of text.split('\n')) {
    const sign = line.indexOf('=')
    if (!line.startsWith('CONFIG_') || sign === -1) continue
    config.set(line.slice('CONFIG_'.length, sign), line.slice(sign + 1).replace(/^"+|"+$/g, ''))
  }
  return config
}

function modules({ tree, tell }: Pick<Machine, 'tree' | 'tell'>, release: string | undefined, found: Found): void {
  const list = tree.rawText(tree.own('proc/modules'))
  const loaded = (list ?? '').split('\n').flatMap(line => line.trim().split(/\s+/)[0] || [])
  if (list === undefined) tell('loaded modules cannot be listed', { path: 'proc/modules' })
  else found.flags('loadedmodule', loaded)
  if (release === undefined) return
  const path = tree.host(`lib/modules/${release}/modules.builtin`)
  const builtIn = tree.rawText(path)
  if (builtIn === undefined) {
    tell('modules that the kernel is built with cannot be listed', { path })
    return
  }
  const names = builtIn.split('\n').flatMap(line => /([^/]*)\.ko$/.exec(line.trim())?.[1] ?? [])
  found.flags('enabledmodule', [...loaded, ...names].flatMap(spellings))
}

/** The kernel takes `-` and `_` for the same: `vfio-pci` lies in its list of files and is `vfio_pci` where it is loaded. Rules find it by either. */
function spellings(module: string): readonly string[] {
  return [module, module.replaceAll('-', '_'), module.replaceAll('_', '-')]
}

function security({ tree, tell }: Pick<Machine, 'tree' | 'tell'>, found: Found): void {
  if (!tree.exists(tree.host('sys/fs'))) tell('SELinux cannot be looked for', { path: 'sys/fs' })
  // An empty file says nothing: it counts as not enabled.
  else found.attributes('selinux', [['enabled', String(tree.rawText(tree.host('sys/fs/selinux/enforce'))?.[0] === '1')]])
  found.attributes('kvm', [['enabled', String(tree.exists(tree.host('sys/devices/virtual/misc/kvm')))]])
}
