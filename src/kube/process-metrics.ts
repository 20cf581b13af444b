// What a process tells of itself in /metrics: processor time, memory, open files, and how long its event loop stood still.
import { collectDefaultMetrics, type Registry } from 'prom-client'

/** The watch of the loop wakes the process each time: at prom-client's own 10 ms it took 5 thousandths of a core, more than all else of a small cluster. */
const loopWatchMs = 100

/** Collects them from now on into `register`. */
export function collectProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: loopWatchMs })
}
