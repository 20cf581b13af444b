// GPUs of Intel, by what the kernel has of them: the driver says the resource, never the id, since one id may have either driver.

import { basename } from 'node:path'
import type { HostTree } from '#machines/host-tree.ts'
import { type DevicesConfig, idsIn } from '../config.ts'
import { intelGpuDomain } from '../names.ts'
import { byNumber, type DeviceNode, type Found, type FoundDevice, type PassedOver } from './found-device.ts'
import { numaNodes } from './numa-nodes.ts'

export const intelVendor = '0x8086'
const cardName = /^card[0-9]+$/
const controlName = /^controlD[0-9]+$/
export const pciAddress = /^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]$/
/** Where the kernel names no driver, as upstream takes it. */
const usualDriver = 'i915'

/** The cards of a machine. A folder that cannot be listed holds none. */
export function intelGpus(tree: HostTree, config: DevicesConfig['gpu']): Found {
  const devices: FoundDevice[] = []
  const passedOver: PassedOver[] = []
  const directory = tree.host('sys/class/drm')
  const cards = (tree.names(directory) ?? []).filter(name => cardName.test(name)).sort(byNumber)
  const rules = { allowed: idsIn(config.allowIDs), denied: idsIn(config.denyIDs) }
  const links = config.bypathMode === 'none' ? undefined : tree.names(tree.host('dev/dri/by-path'))
  for (const id of cards) {
    const found = cardOf(tree, { id, card: `${directory}/${id}`, rules, links, config })
    if (found === undefined) continue
    if ('reason' in found) passedOver.push(found)
    else devices.push(found)
  }
  return { devices, passedOver }
}

interface Card {
  readonly id: string
  /** Its folder in `/sys/class/drm`. */
  readonly card: string
  readonly rules: { readonly allowed: ReadonlySet<string>; readonly denied: ReadonlySet<string> }
  /** The names in `/dev/dri/by-path`; absent where there is no such folder, or nobody wants it. */
  readonly links: readonly string[] | undefined
  readonly config: DevicesConfig['gpu']
}

/** `undefined` for what is no GPU of Intel. */
function cardOf(tree: HostTree, { id, card, rules, links, config }: Card): FoundDevice | PassedOver | undefined {
  const device = `${card}/device`
  const vendor = tree.text(`${device}/vendor`)
  if (vendor === undefined) return { id, reason: 'its vendor cannot be read' }
  if (vendor !== intelVendor) return undefined
  if (!tree.exists(`${device}/drm`)) return { id, reason: 'it has no files of its own (device/drm)' }
  const pciId = tree.text(`${device}/device`)?.split('\n', 1)[0] ?? ''
  const isChosen = rules.allowed.size + rules.denied.size > 0
  if (isChosen && pciId === '') return { id, reason: 'its id cannot be read, and devices are chosen by it' }
  if (rules.allowed.size > 0 && !rules.allowed.has(pciId)) return { id, reason: `${pciId} is not in allowIDs` }
  if (rules.denied.has(pciId)) return { id, reason: `${pciId} is in denyIDs` }
  const functions = tree.text(`${device}/sriov_numvfs`)
  if (functions !== undefined && functions !== '0' && functions !== '-1')
    return { id, reason: `it has ${functions} virtual functions, which are offered in its place` }
  const names = (tree.names(`${device}/drm`) ?? []).filter(name => !controlName.test(name))
  const nodes = names.flatMap(name => deviceNode(tree, `dri/${name}`) ?? [])
  if (nodes.length === 0) return { id, reason: 'it has no file in /dev/dri' }
  const driver = basename(tree.link(`${device}/driver`) ?? usualDriver)
  const address = addressOf(tree, card, id)
  return {
    id,
    resource: `${intelGpuDomain}/${driver}`,
    ...(address === undefined ? {} : { address }),
    pciId,
    vendor: 'intel',
    kind: 'gpu',
    driver,
    nodes,
    mounts: links === undefined ? [] : linkMounts(config.bypathMode, links, address),
    numaNodes: numaNodes(
      tree,
      nodes.map(({ path }) => `${device}/drm/${basename(path)}`),
    ),
    directory: device,
    shares: config.sharedDevNum,
  }
}

/** A file in `/dev`; `undefined` where there is none. */
export function deviceNode(tree: HostTree, name: string): DeviceNode | undefined {
  const file = tree.node(tree.host(`dev/${name}`))
  return file === undefined ? undefined : { path: `/dev/${name}`, group: file.group }
}

/** By the link of the card, in which its address stands before its own name: `…/0000:00:02.0/drm/card0`. */
function addressOf(tree: HostTree, card: string, id: string): string | undefined {
  const link = tree.link(card)
  if (link === undefined) return undefined
  const end = `drm/${id}`
  const address = basename(link.endsWith(end) ? link.slice(0, -end.length) : link)
  return pciAddress.test(address) ? address : undefined
}

const linkDirectory = '/dev/dri/by-path'

function linkMounts(
  mode: DevicesConfig['gpu']['bypathMode'],
  links: readonly string[],
  address: string | undefined,
): readonly string[] {
  if (mode === 'all') return [linkDirectory]
  if (address === undefined) return []
  return links.filter(name => name.startsWith(`pci-${address}`)).map(name => `${linkDirectory}/${name}`)
}

/**
 * Files of a card's firmware interface, which only who watches all cards gets. Whether they are in `/dev` cannot be known: a pod need not have
 * all of it.
 */
export function firmwareNodes(tree: HostTree, { directory }: FoundDevice): readonly DeviceNode[] {
  return (tree.names(directory) ?? [])
    .filter(name => name.includes('.mei-'))
    .flatMap(name => tree.names(`${directory}/${name}/mei`) ?? [])
    .map(name => deviceNode(tree, name) ?? { path: `/dev/${name}`, group: 0 })
}
