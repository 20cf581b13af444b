// What is counted of NFS on a node, and in the controller's pod.

import { Counter, Gauge, type Registry } from 'prom-client'
import type { Driver } from './driver/driver.ts'

export interface NfsMetrics {
  /** How many connections a server has, and how many were asked for. */
  connections(server: string, asked: number, used: number): void
  readonly unmountsByForce: Counter<'step'>
  /** Counts of a driver, asked for when somebody collects. */
  follow(driver: Driver): void
}

/** Servers that are counted one by one. */
const mostServers = 100

export function nfsMetrics(registry: Registry): NfsMetrics {
  const registers = [registry]
  let driver: Driver | undefined
  const nconnect = new Gauge({
    name: 'ballast_nfs_nconnect',
    help: 'Connections to a server, by what was asked for last and what the kernel has',
    labelNames: ['server', 'requested', 'effective'] as const,
    registers,
  })
  const seen = new Map<string, { readonly requested: string; readonly effective: string }>()
  new Gauge({
    name: 'ballast_nfs_unreachable_servers',
    help: 'Servers that do not answer: what would mount from them is told so at once',
    registers,
    collect() {
      this.set(driver?.unreachable().length ?? 0)
    },
  })
  new Gauge({
    name: 'ballast_nfs_hanging_looks',
    help: 'Looks at volumes that a server does not answer, and that cannot be ended',
    registers,
    collect() {
      this.set(driver?.hanging() ?? 0)
    },
  })
  new Gauge({
    name: 'ballast_nfs_shares_mounted',
    help: 'Shares that are mounted to make and remove folders',
    registers,
    collect() {
      this.set(driver?.shares() ?? 0)
    },
  })
  return {
    connections(server, asked, used) {
      const before = seen.get(server)
      if (before === undefined && seen.size >= mostServers) return
      if (before !== undefined) nconnect.remove({ server, ...before })
      const now = { requested: String(asked), effective: String(used) }
      seen.set(server, now)
      nconnect.set({ server, ...now }, 1)
    },
    unmountsByForce: new Counter({
      name: 'ballast_nfs_unmounts_by_force_total',
      help: 'Mounts that went only by force, or were detached',
      labelNames: ['step'] as const,
      registers,
    }),
    follow(followed) {
      driver = followed
    },
  }
}
