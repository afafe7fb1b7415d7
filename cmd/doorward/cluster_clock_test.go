package main

// clockVariable holds the seconds by which the clock of a process is wrong, in a binary of skewedBinary.
const clockVariable = "TEST_CLOCK_SECONDS"
