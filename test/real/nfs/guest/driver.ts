// A CSI driver in a guest, reached by a forwarded port.

import { join } from 'node:path'
import { bundle, writeBundle } from '../../../../scripts/image/bundle.ts'
import { CsiClient } from '../../../csi-wire.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { upstreamPath } from '../../upstreams/build.ts'
import type { Guest } from './guest.ts'
import type { GuestProgram } from './initial-files.ts'

const repository = join(import.meta.dirname, '..', '..', '..', '..')
/** Node is slow to start where each instruction is emulated. */
const startLimitMs = 180_000

/** All files of the guest are in its memory; Node and its program take some 150 MiB of it. */
export const guestMemoryMib = 1_536

/** The guest's port that its driver serves. */
export const driverPort = 10_000

export interface GuestDriver {
  /** What the guest must have been started with. */
  readonly programs: readonly GuestProgram[]
  /** Words before upstream's flags. None of them may need quotes. */
  readonly command: readonly string[]
}

/** @throws PartUnavailable where it cannot be built */
export async function upstreamGuestDriver(): Promise<GuestDriver> {
  return { programs: [{ from: await upstreamPath('csi-driver-nfs'), to: '/usr/bin/nfsplugin' }], command: ['/usr/bin/nfsplugin'] }
}

/** Ours as the image has it: one folder and Node. The folder is to be removed with the guest. */
export async function ourGuestDriver(folder: string): Promise<GuestDriver> {
  writeBundle(await bundle(repository), folder)
  return {
    programs: [
      { from: process.execPath, to: '/usr/bin/node' },
      { from: folder, to: '/ballast' },
    ],
    command: ['/usr/bin/node', '/ballast/ballast.mjs', 'nfsplugin'],
  }
}

/** Starts it and yields a client of it; its log is in the guest, `/tmp/driver.log`. */
export async function startInGuest(guest: Guest, { command }: GuestDriver, more: readonly string[] = []): Promise<CsiClient> {
  const flags = [`--endpoint=tcp://0.0.0.0:${driverPort}`, '--nodeid=guest', '--working-mount-dir=/work', '-v=5', ...more]
  await guest.run(
    `mkdir -p /work /pods; ${[...command, ...flags].join(' ')} </dev/null >/tmp/driver.log 2>&1 & echo $! > /tmp/driver.pid`,
  )
  const client = new CsiClient(`127.0.0.1:${guest.port(driverPort)}`)
  try {
    await until(
      'the driver in the guest answers',
      async () => (await client.ask('Probe', {}, 2_000)).code === 'OK',
      startLimitMs,
      100,
    )
  } catch (cause) {
    client[Symbol.dispose]()
    throw new Error(`the driver in the guest does not answer: ${await guest.run('tail -20 /tmp/driver.log')}`, { cause })
  }
  return client
}
