// The face of the drop-in for simulations: what a policy would do to a copy of a cluster.
export { openRehearsal } from './rehearsal.ts'
