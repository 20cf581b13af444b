// Runs before each test file: what the file leaves of the warm solver ends with it.
import { afterAll } from 'vitest'
import { endWarmSolver } from './warm-solver.ts'

afterAll(endWarmSolver)
