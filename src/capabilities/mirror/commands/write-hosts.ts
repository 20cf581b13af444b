// containerd's hosts files as the configuration wants them on this node: what the mirror's init container does.
import { isIP } from 'node:net'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { CommandRefused, type ProcessSurroundings } from '#process/surroundings.ts'
import { mirrorConfiguration } from '../config.ts'
import { hostsWishOf } from '../hosts-wish-of.ts'
import { writeConfiguration } from '../node-files/writer.ts'
import { actOnFiles } from './act-on-files.ts'
import { basicAuthDirectory, readBasicAuth } from './basic-auth-files.ts'
import { addToHostsRecord } from './hosts-record.ts'

interface Around {
  readonly environment: ProcessSurroundings['environment']
  readonly log: Log
  /** Where it is counted. */
  readonly record?: string | undefined
}

/** `section`: of the configuration. @throws CommandRefused where it or the node's address is not said, or a file cannot be written */
export async function writeHosts(section: unknown, { environment, log, record }: Around): Promise<void> {
  // Without one a trial on somebody's machine would write where its own containerd reads.
  if (section === undefined) throw new CommandRefused('--write-hosts needs a configuration: --config')
  const address = (environment['NODE_IP'] ?? '').replace(/^\[|\]$/g, '')
  if (isIP(address) === 0)
    throw new CommandRefused(`NODE_IP: found ${JSON.stringify(environment['NODE_IP'] ?? '')}, expected the node's own address`)
  const config = mirrorConfiguration.parse(section)
  const basicAuth = readBasicAuth(environment['BALLAST_BASIC_AUTH_DIR'] ?? basicAuthDirectory)
  const count = (result: 'written' | 'unchanged' | 'failed') => {
    if (record !== undefined) addToHostsRecord(record, result, log)
  }
  try {
    const { written, removed } = await actOnFiles(() =>
      writeConfiguration({
        ...hostsWishOf(config, address, basicAuth),
        registryConfigPath: config.containerdRegistryConfigPath,
        existing: config.nodeConfiguration.existing,
        nowMs: systemClock.now(),
        log,
      }),
    )
    count(written.length + removed.length === 0 ? 'unchanged' : 'written')
  } catch (error) {
    count('failed')
    throw error
  }
}
