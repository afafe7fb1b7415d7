// Package doorwardtest tests what is built on Doorward. [NewIssuer] is a fake issuer
// for tests of an API that checks tokens; [TestStore] is the conformance suite
// that an issuer.Store must pass.
package doorwardtest
