// `ballast devices`: what this machine, or a tree of another, would offer to the kubelet, and what a container would get. Nothing is written.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse } from 'yaml'
import { type DefineCommand, oneOf, type Surroundings } from '#cli/command-line.ts'
import { fittedTable, fittedText } from '#cli/terminal/fitted.ts'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { HostTree } from '#machines/host-tree.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import { type DevicesConfig, devicesConfiguration } from '../config.ts'
import type { Machine, Offer } from '../discovery/offers.ts'
import { lookAt, offersOf } from '../discovery/offers.ts'

interface DevicesOptions {
  readonly root: string
  readonly config?: string
  readonly output: 'table' | 'json'
}

export const defineDevices: DefineCommand = (program, surroundings, about) => {
  program
    .command('devices')
    .description(about)
    .option('--root <dir>', 'where sys and dev of the machine lie', '/')
    .option('--config <file>', 'a configuration of Ballast, whose section capabilities.devices counts; without it the standards')
    .option('-o, --output <format>', 'table or json', oneOf('table', 'json'))
    .addHelpText(
      'after',
      [
        '\nDevices that are left out are told with the reason. It writes nothing and asks nobody.',
        'Exit codes: 0 done, 2 bad input.',
        'Example: ballast devices',
        'Example: ballast devices --root tree --config ballast.yaml -o json',
      ].join('\n'),
    )
    .action(async (options: DevicesOptions) => {
      await print(options, surroundings)
      surroundings.end(exitCodes.done)
    })
}

async function print(options: DevicesOptions, { terminal }: Surroundings): Promise<void> {
  const root = resolve(options.root)
  const tree = new HostTree({ hostPrefix: root.endsWith('/') ? root : `${root}/`, ownRoot: root })
  if (!tree.isDirectory(tree.host('sys')))
    throw new CommandRefused(`${options.root} holds no machine: there is no folder sys in it; a tree has sys and dev`)
  const config = configuration(options.config)
  const machine = lookAt(tree, config)
  const offers = offersOf(machine, config, new Set())
  const claimed = config.dra.enabled ? await devicesOfClaims(tree, machine, config) : []
  if (options.output === 'json') terminal.write(JSON.stringify(document(machine, offers, claimed), undefined, 2))
  else for (const line of lines(machine, { offers, claimed, width: terminal.columns })) terminal.write(line)
}

/** What claims ask for, with the driver that gives it away. */
interface Claimed {
  readonly driver: string
  readonly name: string
  readonly device: string
  readonly shares: number
}

async function devicesOfClaims(tree: HostTree, { devices }: Machine, config: DevicesConfig): Promise<readonly Claimed[]> {
  const { draDevices } = await import('../dra/dra-devices.ts')
  return draDevices(tree, devices, { complaints: new Map(), config }).map(({ driver, name, found: { id, shares } }) => ({
    driver,
    name,
    device: id,
    shares,
  }))
}

function configuration(path: string | undefined): DevicesConfig {
  if (path === undefined) return devicesConfiguration.parse({})
  let document: unknown
  try {
    document = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new CommandRefused(`${path} cannot be read: ${messageOf(error)}`)
  }
  const section = fieldOf(fieldOf(document, 'capabilities'), 'devices') ?? {}
  const { enabled: _isEnabled, ...rest } = typeof section === 'object' ? (section as Readonly<Record<string, unknown>>) : {}
  const checked = checkAgainst(devicesConfiguration, typeof section === 'object' ? rest : section, 'capabilities.devices')
  if (checked.ok) return checked.value
  throw new InputError(checked.problems)
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
}

function document({ devices, passedOver }: Machine, offers: ReadonlyMap<string, Offer>, claimed: readonly Claimed[]): object {
  return {
    resources: [...offers.values()].map(({ resource, policy, shares }) => ({
      resource,
      policy,
      count: shares.size,
      devices: [...shares.values()].map(({ id, device, numaNodes, nodes, mounts, cdi }) => ({
        id,
        device,
        numaNodes,
        files: nodes.map(({ path }) => path),
        mounts,
        ...(cdi === undefined ? {} : { cdi }),
      })),
    })),
    devices: devices.map(({ id, vendor, kind, driver, pciId, address, shares }) => ({
      id,
      vendor,
      kind,
      driver,
      pciId,
      address: address ?? null,
      shares,
    })),
    claims: claimed,
    leftOut: passedOver,
  }
}

function lines(
  { devices, passedOver }: Machine,
  {
    offers,
    claimed,
    width,
  }: { readonly offers: ReadonlyMap<string, Offer>; readonly claimed: readonly Claimed[]; readonly width: number | undefined },
): readonly string[] {
  const resources = [...offers.values()].map(({ resource, shares }) => [
    resource,
    String(shares.size),
    [...new Set(Array.from(shares.values(), ({ device }) => device))].join(' '),
  ])
  const found = devices.map(({ id, kind, driver, pciId, address, nodes, numaNodes }) => [
    id,
    kind,
    driver,
    pciId,
    address ?? '-',
    numaNodes.join(',') || '-',
    nodes.map(({ path }) => path).join(' '),
  ])
  const tables = [
    ...(resources.length === 0
      ? []
      : [fittedTable([{ title: 'RESOURCE' }, { title: 'COUNT', align: 'right' }, { title: 'DEVICES' }], resources, width), '']),
    ...(claimed.length === 0
      ? []
      : [
          fittedTable(
            [{ title: 'BY CLAIMS' }, { title: 'NAME' }, { title: 'SHARES', align: 'right' }, { title: 'DEVICE' }],
            claimed.map(({ driver, name, shares, device }) => [driver, name, String(shares), device]),
            width,
          ),
          '',
        ]),
    ...(resources.length + claimed.length === 0
      ? ['no device that Ballast offers is on this machine']
      : [
          fittedTable(
            ['DEVICE', 'KIND', 'DRIVER', 'ID', 'ADDRESS', 'NUMA', 'FILES'].map(title => ({ title })),
            found,
            width,
          ),
        ]),
    ...(passedOver.length === 0
      ? []
      : [
          '',
          fittedTable(
            [{ title: 'LEFT OUT' }, { title: 'REASON' }],
            passedOver.map(({ id, reason }) => [id, reason]),
            width,
          ),
        ]),
  ]
  return tables.map(line => fittedText(line, width))
}
