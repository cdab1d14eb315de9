//! Signatures of cabinets as Windows checks them (Authenticode, a form of PKCS #7).
//!
//! Owns what such a signature says and whether it holds. Whether a publisher is to be believed is
//! another question: it is answered by the fingerprint of its certificate, which somebody approved.

use std::io::{Read, Seek};

use ::authenticode::{
    AuthenticodeSignature, DigestInfo, SPC_INDIRECT_DATA_OBJID, SpcAttributeTypeAndOptionalValue,
    SpcIndirectDataContent,
};
use cms::cert::x509::Certificate;
use cms::cert::x509::attr::Attribute;
use cms::cert::x509::der::asn1::{Null, ObjectIdentifier, OctetString, SetOfVec};
use cms::cert::x509::der::{self, Any, Decode as _, Encode as _};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use model::Sha256;
use sha2::{Digest as _, Sha256 as Hasher};
use trust::{Publisher, verify_published};

use crate::{Error, cabinet};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const ECDSA_WITH_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// The signature is of a cabinet.
const CABINET: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.25");
/// An own name and address of what is signed, both left out.
const OPUS_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.12");
const STATEMENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.11");
const INDIVIDUAL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.21");

/// Where the signed thing could be found: nowhere, `<<<Obsolete>>>`, in UTF-16.
const NO_LINK: [u8; 30] = [
    0x80, 0x1c, 0, b'<', 0, b'<', 0, b'<', 0, b'O', 0, b'b', 0, b's', 0, b'o', 0, b'l', 0, b'e', 0,
    b't', 0, b'e', 0, b'>', 0, b'>', 0, b'>',
];

/// Who signed a cabinet, whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Of the certificate.
    pub fingerprint: Sha256,
    pub subject: String,
}

/// The signature of a cabinet with this digest, as PKCS #7.
pub fn sign(digest: Sha256, publisher: &Publisher) -> Result<Vec<u8>, Error> {
    let encoded = |error: der::Error| Error::Signature { reason: error.to_string() };
    let certificate = Certificate::from_der(publisher.certificate()).map_err(encoded)?;
    let content = content(digest).map_err(encoded)?;
    let attributes = attributes(&content).map_err(encoded)?;
    let signature = publisher.sign(&attributes.to_der().map_err(encoded)?)?;
    let signer = SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(identifier(&certificate)),
        digest_alg: sha_256(),
        signed_attrs: Some(attributes),
        signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None },
        signature: OctetString::new(signature).map_err(encoded)?,
        unsigned_attrs: None,
    };
    let wrap = move || -> der::Result<Vec<u8>> {
        let certificates = SetOfVec::try_from(vec![CertificateChoices::Certificate(certificate)])?;
        let signed = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from(vec![sha_256()])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: SPC_INDIRECT_DATA_OBJID,
                econtent: Some(content),
            },
            certificates: Some(CertificateSet(certificates)),
            crls: None,
            signer_infos: SignerInfos(SetOfVec::try_from(vec![signer])?),
        };
        let content = Any::encode_from(&signed)?;
        ContentInfo { content_type: SIGNED_DATA, content }.to_der()
    };
    wrap().map_err(encoded)
}

fn sha_256() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: SHA_256, parameters: Some(Any::from(Null)) }
}

fn identifier(certificate: &Certificate) -> IssuerAndSerialNumber {
    let certificate = &certificate.tbs_certificate;
    IssuerAndSerialNumber {
        issuer: certificate.issuer.clone(),
        serial_number: certificate.serial_number.clone(),
    }
}

fn content(digest: Sha256) -> der::Result<Any> {
    // A link by file name, as its explicit second alternative.
    let link = Any::new(
        der::Tag::ContextSpecific { constructed: true, number: der::TagNumber::N2 },
        NO_LINK,
    )?;
    Any::encode_from(&SpcIndirectDataContent {
        data: SpcAttributeTypeAndOptionalValue { value_type: CABINET, value: link },
        message_digest: DigestInfo {
            digest_algorithm: sha_256(),
            digest: OctetString::new(digest.0)?,
        },
    })
}

fn attributes(content: &Any) -> der::Result<SetOfVec<Attribute>> {
    let attribute = |oid, value: Any| -> der::Result<Attribute> {
        Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
    };
    // Over the content without its own tag and length.
    let digest = OctetString::new(Hasher::digest(content.value()).to_vec())?;
    let nothing: Vec<Any> = Vec::new();
    SetOfVec::try_from(vec![
        attribute(CONTENT_TYPE, Any::encode_from(&SPC_INDIRECT_DATA_OBJID)?)?,
        attribute(MESSAGE_DIGEST, Any::encode_from(&digest)?)?,
        attribute(OPUS_INFO, Any::encode_from(&nothing)?)?,
        attribute(STATEMENT_TYPE, Any::encode_from(&vec![INDIVIDUAL])?)?,
    ])
}

/// Who signed a cabinet. None if nobody did, or if it is no cabinet; an error if the signature does
/// not hold.
pub fn verify(cabinet: &mut (impl Read + Seek)) -> Result<Option<Signer>, Error> {
    let Some((signature, digest)) = cabinet::signature(cabinet)? else { return Ok(None) };
    let refuse = |reason: &str| Error::Signature { reason: reason.to_owned() };
    let signature = AuthenticodeSignature::from_bytes(&signature)
        .map_err(|error| Error::Signature { reason: error.to_string() })?;
    if signature.digest_algorithm().oid != SHA_256 {
        return Err(refuse("it is not made with SHA-256; ask the publisher for a newer one"));
    }
    if signature.digest() != digest.0 {
        return Err(refuse("the cabinet was changed after it was signed"));
    }
    let signer = signature.signer_info();
    let (Some(content), Some(attributes)) =
        (signature.encapsulated_content(), &signer.signed_attrs)
    else {
        return Err(refuse("it does not say what it signs"));
    };
    let stated = attributes.iter().find(|attribute| attribute.oid == MESSAGE_DIGEST);
    let stated = stated.and_then(|attribute| attribute.values.get(0));
    if stated.map(Any::value) != Some(&*Hasher::digest(content)) {
        return Err(refuse("what it signs was changed"));
    }
    let is_signers = |certificate: &&Certificate| match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(id) => *id == identifier(certificate),
        SignerIdentifier::SubjectKeyIdentifier(_) => false,
    };
    let certificate = signature.certificates().find(is_signers);
    let certificate = certificate.ok_or_else(|| refuse("it lacks the signer's certificate"))?;
    let encoded = |error: der::Error| Error::Signature { reason: error.to_string() };
    let (signed, encoded_certificate) =
        (attributes.to_der().map_err(encoded)?, certificate.to_der().map_err(encoded)?);
    if !verify_published(&encoded_certificate, &signed, signature.signature()) {
        return Err(refuse("it was not made with the key of the certificate it names"));
    }
    Ok(Some(Signer {
        fingerprint: Sha256(Hasher::digest(&encoded_certificate).into()),
        subject: certificate.tbs_certificate.subject.to_string(),
    }))
}

#[cfg(test)]
mod tests;
