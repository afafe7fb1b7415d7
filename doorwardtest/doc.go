// Package doorwardtest tests what is built on Doorward. [NewIssuer] is a fake issuer
// for tests of an API that checks tokens; [NewStore] is a store in memory for tests of a
// program that embeds an issuer; [TestStore] is the conformance suite that an
// issuer.Store must pass.
package doorwardtest
