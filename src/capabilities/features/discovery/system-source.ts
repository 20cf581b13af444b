// The system: its name, its release, and what the firmware says that the machine is.

import type { FeatureSet } from '../matching/feature-set.ts'
import { attributesOf, Found, type Labels, type Machine } from './source.ts'

/** What everybody may read; serial numbers need root. */
const firmware = [
  'bios_date',
  'bios_vendor',
  'bios_version',
  'board_asset_tag',
  'board_name',
  'board_vendor',
  'board_version',
  'chassis_asset_tag',
  'chassis_type',
  'chassis_vendor',
  'chassis_version',
  'product_family',
  'product_name',
  'product_sku',
  'product_version',
  'sys_vendor',
]

const labelled = ['ID', 'VERSION_ID', 'VERSION_ID.major', 'VERSION_ID.minor']

export function discoverSystem({ tree, nodeName, tell }: Machine): FeatureSet {
  const found = new Found('system')
  found.attributes('name', [['nodename', nodeName]])
  const release = tree.rawText(tree.host('etc/os-release'))
  if (release === undefined) tell('the release of the system cannot be read', { path: 'etc/os-release' })
  else found.attributes('osrelease', readRelease(release))
  const machine = firmware.flatMap(name => {
    const value = tree.text(tree.host(`sys/devices/virtual/dmi/id/${name}`))
    return value === undefined ? [] : [[name, value] as const]
  })
  if (machine.length > 0) found.attributes('dmiid', machine)
  return found.features
}

function readRelease(text: string): ReadonlyMap<string, string> {
  const release = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const [, key, value] = /^([0-9A-Za-z_]+)=(.+)/.exec(line) ?? []
    if (key !== undefined && value !== undefined) release.set(key, value.replace(/^["']+|["']+$/g, ''))
  }
  const [, major, minor] = /^(\d+)(?:\.(\d+))?(?:\..*)?$/.exec(release.get('VERSION_ID') ?? '') ?? []
  if (major !== undefined) release.set('VERSION_ID.major', major)
  if (minor !== undefined) release.set('VERSION_ID.minor', minor)
  return release
}

export function systemLabels(features: FeatureSet): Labels {
  const release = attributesOf(features, 'system.osrelease')
  return new Map(labelled.flatMap(key => (release.has(key) ? [[`os_release.${key}`, release.get(key) ?? ''] as const] : [])))
}
