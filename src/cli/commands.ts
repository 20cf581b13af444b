// The commands by name, each with what loads it: the program's own from their files, those of a capability from its value.
import { about } from './about.ts'
import type { DefineCommand } from './command-line.ts'
import { capabilityCommands } from './generated/capability-commands.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    readonly commands?: readonly CapabilityCommand[]
  }
}

/** A command that a capability brings. The help of all tells of it from a generated table, so that none is loaded for it. */
interface CapabilityCommand {
  readonly name: string
  /** After the name, as the help shows it. */
  readonly usage: string
  /** What it does, in a sentence. */
  readonly about: string
  /** It takes the place of an upstream's program: a program of ours that is called by one of these names is this command. */
  readonly inPlaceOf?: {
    readonly programs: readonly string[]
    /** What upstream's chart says to its container, by which a program that is called with flags alone is known. */
    readonly variables?: readonly string[]
  }
  readonly load: () => Promise<DefineCommand>
}

interface Listed {
  readonly about: string
  /** After the name, as the help shows it. */
  readonly usage: string
  /** Yields `undefined` where the table of commands is older than the capabilities. */
  readonly load: () => Promise<DefineCommand | undefined>
}

/** Only the command that is asked for is loaded: a controller carries nothing of the twin, and the help of all loads none. */
const ownCommands = {
  up: { usage: '[options]', about: about.up, load: async () => (await import('./up.ts')).defineUp },
  twin: { usage: '[options]', about: about.twin, load: async () => (await import('./twin.ts')).defineTwin },
  top: { usage: '[options]', about: about.top, load: async () => (await import('./top.ts')).defineTop },
  dashboard: { usage: '[options]', about: about.dashboard, load: async () => (await import('./dashboard.ts')).defineDashboard },
  snapshot: { usage: '[options]', about: about.snapshot, load: async () => (await import('./snapshot.ts')).defineSnapshot },
  look: { usage: '[options]', about: about.look, load: async () => (await import('./look.ts')).defineLook },
  plan: { usage: '[options]', about: about.plan, load: async () => (await import('./plan.ts')).definePlan },
  replay: {
    usage: '[options] [plan]',
    about: about.replay,
    load: async () => (await import('./replay/replay-command.ts')).defineReplay,
  },
  simulate: { usage: '[options]', about: about.simulate, load: async () => (await import('./simulate.ts')).defineSimulate },
  why: { usage: '[options] <kind/name>', about: about.why, load: async () => (await import('./why.ts')).defineWhy },
  permits: { usage: '[options]', about: about.permits, load: async () => (await import('./permits.ts')).definePermits },
  migrate: { usage: '', about: about.migrate, load: async () => (await import('./migrate.ts')).defineMigrate },
  doctor: { usage: '[options] [area...]', about: about.doctor, load: async () => (await import('./doctor.ts')).defineDoctor },
  manifests: { usage: '[options]', about: about.manifests, load: async () => (await import('./manifests.ts')).defineManifests },
  chart: { usage: '[options]', about: about.chart, load: async () => (await import('./chart.ts')).defineChart },
  uninstall: { usage: '[options]', about: about.uninstall, load: async () => (await import('./uninstall.ts')).defineUninstall },
  version: { usage: '[options]', about: about.version, load: async () => (await import('./version/version.ts')).defineVersion },
  completion: {
    usage: '<shell>',
    about: about.completion,
    load: async () => (await import('./completion/completion.ts')).defineCompletion,
  },
  controller: {
    usage: '[options]',
    about: about.controller,
    load: async () => (await import('./controller-command.ts')).defineController,
  },
  apiserver: {
    usage: '[options]',
    about: about.apiserver,
    load: async () => (await import('./apiserver-command.ts')).defineApiserver,
  },
  gateway: { usage: '[options]', about: about.gateway, load: async () => (await import('./gateway-command.ts')).defineGateway },
  agent: { usage: '[options]', about: about.agent, load: async () => (await import('./agent-command.ts')).defineAgent },
}

const isOwn = (name: string): name is keyof typeof ownCommands => Object.hasOwn(ownCommands, name)

/** All commands, in the order of the help. */
export const commands: ReadonlyMap<string, Listed> = new Map(
  [...Object.keys(ownCommands), ...Object.keys(capabilityCommands)].flatMap(name => {
    const listed = isOwn(name) ? ownCommands[name] : capabilityCommands[name]
    return listed === undefined ? [] : [[name, listed]]
  }),
)
