// Servers and a machine that are played, with our driver in this process: the cases of `nfs-driver-cases.ts` without root and without a kernel's help.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { type Log, silentLog } from '#kube/log.ts'
import { driverSettings } from '../src/capabilities/nfs/commands/driver-settings.ts'
import { startDriver } from '../src/capabilities/nfs/driver/driver.ts'
import { ShareFiles } from '../src/capabilities/nfs/driver/share-files.ts'
import type { FileWorkers } from '../src/capabilities/nfs/files/file-workers.ts'
import { driverFlags } from '../src/capabilities/nfs/flags/driver-flags.ts'
import { FakeMachine } from '../src/capabilities/nfs/testdata/fake-machine.ts'
import { CsiClient } from './csi-wire.ts'
import type { PlayedDriver, PlayedSite, Told } from './nfs-player.ts'

export class InProcessSite implements PlayedSite, Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'bn-'))
  readonly exports = join(this.root, 'exports')
  readonly #machine: FakeMachine
  #drivers = 0

  constructor() {
    for (const folder of ['exports', 'targets', 'work']) mkdirSync(join(this.root, folder))
    this.#machine = new FakeMachine({
      root: this.exports,
      below: join(this.root, 'below'),
      clock: systemClock,
      isStrict: true,
    })
  }

  addShare(server: string, share: string): string {
    return this.#machine.share(server, share)
  }

  tell(server: string, told: Told | undefined): void {
    this.#machine.tell(server, told)
  }

  calls() {
    return this.#machine.calls
  }

  /** Command lines of what was started to mount and unmount. */
  commands(): readonly string[] {
    return this.#machine.commands
  }

  /** The same as they were given, word by word. */
  started(): FakeMachine['started'] {
    return this.#machine.started
  }

  mounts(): readonly string[] {
    return this.#machine.table.mounts().map(({ source, target }) => `${source} on ${target}`)
  }

  /** Our driver by upstream's flags. Its mounts outlive it. */
  async start(
    flags: readonly string[],
    workers: Pick<FileWorkers, 'run'>,
    log: Log = silentLog,
  ): Promise<PlayedDriver & { readonly socket: string }> {
    const socket = join(this.root, `${this.#drivers++}.sock`)
    const given = driverFlags([
      `--endpoint=unix://${socket}`,
      '--nodeid=n1',
      `--working-mount-dir=${join(this.root, 'work')}`,
      ...flags,
    ])
    const driver = await startDriver({
      ...driverSettings(given, new ShareFiles(workers, systemClock)),
      clock: systemClock,
      log,
      machine: this.#machine,
    })
    const client = new CsiClient(socket)
    return {
      client,
      socket,
      [Symbol.asyncDispose]: async () => {
        client[Symbol.dispose]()
        await driver[Symbol.asyncDispose]()
      },
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}
