// `ballast agent --role=mirror`: the mirror by its flags, and what its init container does.
import type { AgentRole } from '#cli/agent-role.ts'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { mirrorService } from '../agent-objects.ts'
import { mirrorConfiguration } from '../config.ts'
import { addRegistryFlags } from './flag-table.ts'
import { mirrorPart } from './mirror-part.ts'
import { mirrorSettings } from './mirror-run.ts'

interface OwnOptions {
  readonly writeHosts?: boolean
  readonly hostsRecord?: string
}

export const agentRole: AgentRole = {
  configuration: mirrorConfiguration,
  addFlags(command) {
    command
      .option('--write-hosts', "role mirror: writes containerd's hosts files for NODE_IP and ends")
      .option('--hosts-record <file>', 'role mirror: where --write-hosts counts how it went, for the metrics of the mirror')
    addRegistryFlags(command)
  },
  help: 'The flags from --write-hosts on belong to role mirror. From --registry-addr on they are those of `spegel registry`; each is also a variable (REGISTRY_ADDR).',
  async actsInstead({ command, section, environment, log, isWanted }) {
    const { writeHosts, hostsRecord }: OwnOptions = command.opts()
    if (writeHosts !== true) return false
    if (!isWanted) throw new CommandRefused('--write-hosts needs --role=mirror')
    const hosts = await import('./write-hosts.ts')
    await hosts.writeHosts(section, { environment, log, record: hostsRecord })
    return true
  },
  part({ command, section, environment, log, connect }) {
    const { hostsRecord }: OwnOptions = command.opts()
    return mirrorPart(mirrorSettings({ command, section, environment }, log), {
      clock: systemClock,
      log,
      hostsRecord,
      openService: async () => ({
        api: await connect(),
        namespace: environment['BALLAST_POD_NAMESPACE'] || standardAgentNamespace,
        name: mirrorService,
      }),
    })
  },
}
