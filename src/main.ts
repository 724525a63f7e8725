#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { dirname, join } from 'node:path'

const program = import.meta.filename
// Built, and beside the program, where only those who install it may write: what stands there is run.
if (program.endsWith('.js')) enableCompileCache(join(dirname(program), '.compile-cache'))

const argv = process.argv.slice(2)
const { processTerminal } = await import('./cli/frame/terminal.ts')
const { runProgram } = await import('./cli/frame/program.ts')
// Not by `exitCode`: a server that could not start still has sockets open, and must end for the runner to try again.
process.exit(await runProgram(processTerminal(argv), argv))
