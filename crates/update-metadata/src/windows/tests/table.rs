//! What tests of Windows updates answer, and the computers they are asked of.

/// A computer of which everything is known, as people write it.
pub(super) const FACTS: &str = r#"
architecture = "amd64"
absent_files = ['C:\Windows\System32\gone.dll']

[files.'C:\Acme\a.dll']
size = 9
version = "2.0.0.1"
created = "2020-01-02T03:04:05Z"
modified = "2021-06-01"
language = 1033
[files.'\\server\share\b.txt']

[system.windows]
major = 10
build = 19045
product_type = 1
suite_mask = 0x110
processors = { count = 4, level = 6, revision = 0x9e0a }
languages = { system = "en-US" }
cluster = { is_member = true, owned_resources = ["SQL Disk"] }
metrics = { 0 = 1920 }
folders = { 37 = 'C:\Windows\System32' }
licenses = { "Kernel-Edition" = 48, "Kernel-Name" = "x" }
product_releases = { "Client.OS" = "10.0.19045.1" }
installed_once = ["00000000-0000-0000-0000-000000000001"]
computer_ids = ["11111111-1111-1111-1111-111111111111"]

[system.windows.hardware]
direct3d = { hardware_version = "11.0", feature_level = "10.1" }
memory_mb = { total = 8192 }
video_memory_mb = 512
sensors = ["22222222-2222-2222-2222-222222222222"]
nfc_capabilities = ["Read"]
camera_locations = ["Front"]

[[system.windows.generic_answers]]
namespace = "Acme"
type = "Version"
parameter = "Tool"
value = "2.5"
[[system.windows.generic_answers]]
namespace = "Acme"
type = "Version"
parameter = "Other"

[system.windows.registry.'SOFTWARE\Acme']
Folder = 'C:\Acme\'
Home = { expandable = '%TEMP%' }
Path = { expandable = 'C:\Tools' }
Level = 7
Blob = { type = "REG_BINARY" }
[system.windows.registry.'SOFTWARE\Wow6432Node\Acme']
Version = "3.10"
[system.windows.registry.'SOFTWARE\Acme\Parts\One\Deep']
Level = 1
[system.windows.registry.'SOFTWARE\Acme\Parts\Two']
Level = 2
[system.windows.registry.'Cluster']
Disk = "Disk"

[system.windows.wmi.'Root\CIMv2']
Win32_ComputerSystem = []
[[system.windows.wmi.'Root\Acme'.Things]]
Name = "Tool"
Size = 5
[[system.windows.wmi.'Root\CIMv2'.Win32_BIOS]]
ReleaseDate = "20190204000000.000000+000"

[system.windows.msi_products.'FB2B7CC0-8307-47e6-A065-11015CC96B99']
version = "1.6.6.5"
language = 1033
upgrade_code = "33333333-3333-3333-3333-333333333333"
features = ["Main", "Help"]
components = ["44444444-4444-4444-4444-444444444444"]
patches = { "AAAAAAAA-0000-0000-0000-000000000001" = "applied", "AAAAAAAA-0000-0000-0000-000000000002" = "superseded" }
patch_sequences = { "Family" = "1.5" }

[system.windows.cbs_packages]
'Package_A~31bf~amd64~~10.0.1.1' = { state = "installed" }
'Package_B~31bf~amd64~en-US~10.0.1.1' = { state = "absent", is_applicable = true }
'Package_C~31bf~amd64~~10.0.1.1' = { state = "superseded" }
'Package_D~31bf~amd64~~10.0.1.1' = { state = "staged", is_applicable = false }

[[system.windows.devices]]
ids = ['PCI\VEN_1&DEV_2', 'PCI\VEN_1']
driver = { matched_id = 'PCI\VEN_1', date = "2020-01-01", version = "1.0", provider = "Acme" }
[[system.windows.devices]]
ids = ['USB\NEW']
[[system.windows.devices]]
ids = ['PRN\1']
driver = { matched_id = 'PRN\1', date = "2020-01-01", version = "1.0", provider = "Acme", feature_score = 16 }
"#;

/// `answer | test`, where an answer that is no truth is a doubt; `given` is the metadata for the
/// lines that follow. MSI, HKLM and DRV are filled in.
pub(super) const TABLE: &str = r#"
true | <bar:Platform PlatformID='2'/>
false | <bar:Platform PlatformID='1'/>
true | <bar:WindowsVersion Comparison='GreaterThanOrEqualTo' MajorVersion='6' MinorVersion='1' ServicePackMajor='2'/>
true | <bar:WindowsVersion MajorVersion='10' MinorVersion='0' ProductType='1' SuiteMask='272' AllSuitesMustBePresent='true'/>
true | <bar:WindowsVersion Comparison='LessThan' MajorVersion='11' BuildNumber='22000'/>
true | <bar:WindowsVersion Comparison='GreaterThan' BuildNumber='19044'/>
false | <bar:WindowsVersion MajorVersion='10' MinorVersion='0' BuildNumber='22621'/>
false | <bar:WindowsVersion MajorVersion='10' ProductType='3'/>
false | <bar:WindowsVersion SuiteMask='273' AllSuitesMustBePresent='true'/>
false | <bar:WindowsVersion Comparison='LessThan' MajorVersion='10' MinorVersion='0'/>
WindowsVersion: Comparison: comparison: there is no "Near" | <bar:WindowsVersion Comparison='Near' MajorVersion='10'/>
true | <bar:PlatformVersion MajorVersion='10'/>
false | <bar:PlatformVersion MajorVersion='6'/>
true | <bar:Processor Architecture='9' Level='6' Revision='40458'/>
false | <bar:Processor Architecture='9' Level='5'/>
false | <bar:Processor Architecture='0'/>
true | <bar:NumberOfProcessors Comparison='GreaterThan' Number='2'/>
false | <bar:NumberOfProcessors Comparison='GreaterThan' Number='4'/>
true | <bar:WindowsLanguage Language='en'/>
false | <bar:WindowsLanguage Language='e'/>
true | <bar:PlatformLanguage Language='en-us'/>
false | <bar:PlatformLanguage Language='de'/>
false | <bar:MuiInstalled/>
false | <bar:MuiLanguageInstalled Language='en'/>
true | <bar:SystemMetric Index='0' Comparison='GreaterThanOrEqualTo' Value='1920'/>
false | <bar:SystemMetric Index='0' Comparison='LessThan' Value='1920'/>
SystemMetric: nobody looked for system metric 1 | <bar:SystemMetric Index='1' Comparison='LessThan' Value='1'/>
true | <bar:ClusteredOS/>
true | <bar:ClusterResourceOwner Key='HKEY_LOCAL_MACHINE' Subkey='Cluster' Value='Disk' Prefix='SQL '/>
false | <bar:ClusterResourceOwner Key='HKEY_LOCAL_MACHINE' Subkey='Cluster' Value='Disk' Suffix=' 2'/>
true | <bar:InstalledOnce/>
true | <bar:GenericQuery Namespace='acme' Type='version' Parameter='tool'/>
true | <bar:GenericQuery Namespace='Acme' Type='Version' Parameter='Tool' Comparison='GreaterThan' Value='2.4.9'/>
false | <bar:GenericQuery Namespace='Acme' Type='Version' Parameter='Other' Value='1'/>
GenericQuery: texts have no order | <bar:GenericQuery Namespace='Acme' Type='Version' Parameter='Tool' Comparison='LessThan' Value='b'/>
true | <bar:LicenseValueExists Value='kernel-name'/>
false | <bar:LicenseValueExists Value='kernel'/>
true | <bar:LicenseDword Value='Kernel-Edition' Comparison='EqualTo' Data='48'/>
false | <bar:LicenseDword Value='Kernel-Name' Comparison='EqualTo' Data='48'/>
true | <bar:Direct3D HardwareVersion='9.0' FeatureLevelMajor='10' FeatureLevelMinor='1'/>
false | <bar:Direct3D FeatureLevelMajor='11'/>
true | <bar:Memory Type='Total' MinSizeInMB='8192'/>
false | <bar:Memory Type='Total' MinSizeInMB='8193'/>
true | <bar:VideoMemory MinSizeInMB='512'/>
false | <bar:VideoMemory MinSizeInMB='513'/>
true | <bar:SensorById Id='{22222222-2222-2222-2222-222222222222}'/>
false | <bar:SensorById Id='{32222222-2222-2222-2222-222222222222}'/>
true | <bar:NFC Capability='read'/>
false | <bar:NFC Capability='Write'/>
true | <bar:Camera Location='Front'/>
false | <bar:Camera Location='Back'/>
true | <bar:ProductReleaseInstalled Name='client.os' Version='10.0.19045.1'/>
false | <bar:ProductReleaseInstalled Name='Server.OS' Version='10.0.19045.1'/>
true | <upd:ProductReleaseVersion Name='Client.OS' Comparison='greaterthan' Version='10.0.0.0'/>
false | <upd:ProductReleaseVersion Name='Client.OS' Comparison='lessthan' Version='10.0.0.0'/>
true | <bar:FileExists Path='C:\Acme\\x\..\a.dll' Size='9' Version='2.0.0.1' Language='1033' Modified='2021-06-01T00:00:00'/>
false | <bar:FileExists Path='c:/acme/a.dll' Size='9' Version='2.0.0.2'/>
false | <bar:FileExists Csidl='37' Path='gone.dll' Version='1.0.0.0'/>
FileExists: nobody looked for folder 5 | <bar:FileExists Csidl='5' Path='gone.dll'/>
FileVersion: nobody looked for c:\other | <bar:FileVersion Path='C:\other' Version='1.0.0.0'/>
FileVersion: nobody looked for the version of \\server\share\b.txt | <bar:FileVersion Path='\\Server\share\b.txt' Version='1.0.0.0'/>
true | <bar:FileVersion Path='C:\Acme\a.dll' Comparison='GreaterThan' Version='2.0.0.0'/>
false | <bar:FileVersion Csidl='37' Path='gone.dll' Comparison='LessThan' Version='1.0.0.0'/>
true | <bar:FileSize Path='C:\Acme\a.dll' Comparison='EqualTo' Size='9'/>
false | <bar:FileSize Path='C:\Acme\a.dll' Comparison='LessThan' Size='9'/>
true | <bar:FileCreated Path='C:\Acme\a.dll' Comparison='EqualTo' Created='2020-01-02T03:04:05'/>
false | <bar:FileCreated Path='C:\Acme\a.dll' Comparison='GreaterThan' Created='2020-01-02T03:04:05Z'/>
true | <bar:FileModified Path='C:\Acme\a.dll' Comparison='GreaterThan' Modified='2021-01-01T00:00:00'/>
false | <bar:FileModified Path='C:\Acme\a.dll' Comparison='EqualTo' Modified='2021-01-01T00:00:00'/>
true | <bar:FileExistsPrependRegSz HKLM Value='Folder' Path='a.dll'/>
false | <bar:FileExistsPrependRegSz HKLM Value='Nowhere' Path='a.dll'/>
FileExistsPrependRegSz: "%TEMP%" needs the environment | <bar:FileExistsPrependRegSz HKLM Value='Home' Path='a.dll'/>
true | <bar:FileVersionPrependRegSz HKLM Value='Folder' Path='a.dll' Comparison='EqualTo' Version='2.0.0.1'/>
false | <bar:FileVersionPrependRegSz HKLM Value='Folder' Path='a.dll' Comparison='LessThan' Version='2.0.0.1'/>
true | <bar:FileSizePrependRegSz HKLM Value='Folder' Path='a.dll' Comparison='EqualTo' Size='9'/>
false | <bar:FileSizePrependRegSz HKLM Value='Level' Path='a.dll' Comparison='EqualTo' Size='9'/>
true | <bar:FileCreatedPrependRegSz HKLM Value='Folder' Path='a.dll' Comparison='LessThan' Created='2021-01-01'/>
false | <bar:FileCreatedPrependRegSz HKLM Value='Folder' Path='a.dll' Comparison='LessThan' Created='2020-01-01'/>
true | <bar:FileModifiedPrependRegSz HKLM Value='Folder' Path='a.dll' Comparison='LessThan' Modified='2022-01-01'/>
false | <bar:FileModifiedPrependRegSz HKLM Value='Folder' Path='a.dll' Comparison='LessThan' Modified='2020-01-01'/>
true | <bar:RegKeyExists HKLM/>
true | <bar:RegKeyExists Key='HKEY_LOCAL_MACHINE' Subkey='Software\Acme\Parts\One\'/>
false | <bar:RegKeyExists Key='HKEY_LOCAL_MACHINE' Subkey='Software\Acm'/>
RegKeyExists: there is no loop around it | <bar:RegKeyExists Key='HKEY_LOOP_TARGET' Subkey='a'/>
RegKeyExists: there is no HKEY_USERS | <bar:RegKeyExists Key='HKEY_USERS' Subkey='a'/>
true | <bar:RegValueExists HKLM Value='LEVEL' Type='REG_DWORD'/>
true | <bar:RegValueExists HKLM Value='Blob' Type='REG_BINARY'/>
true | <bar:RegValueExists HKLM Value='Path' Type='REG_EXPAND_SZ'/>
false | <bar:RegValueExists HKLM Value='level' Type='REG_SZ'/>
false | <bar:RegValueExists HKLM/>
true | <bar:RegDword HKLM Value='Level' Comparison='LessThan' Data='8'/>
false | <bar:RegDword HKLM Value='Folder' Comparison='LessThan' Data='8'/>
RegDword: Data is missing | <bar:RegDword HKLM Value='Level'/>
true | <bar:RegSz HKLM Value='Folder' Comparison='BeginsWith' Data='c:\ACME'/>
true | <bar:RegSz HKLM Value='Folder' Comparison='EndsWith' Data='acme\'/>
false | <bar:RegSz HKLM Value='Folder' Comparison='EqualTo' Data='c:\acme'/>
false | <bar:RegSz HKLM Value='Path' Comparison='Contains' Data='tools'/>
true | <bar:RegExpandSz HKLM Value='Path' Comparison='Contains' Data='tool'/>
false | <bar:RegExpandSz HKLM Value='Folder' Comparison='Contains' Data='acme'/>
RegExpandSz: "%TEMP%" needs the environment | <bar:RegExpandSz HKLM Value='Home' Comparison='Contains' Data='temp'/>
true | <bar:RegSzToVersion HKLM RegType32='true' Value='Version' Comparison='EqualTo' Data='3.10.0.0'/>
false | <bar:RegSzToVersion HKLM Value='Version' Comparison='EqualTo' Data='3.10.0.0'/>
false | <bar:RegSzToVersion HKLM Value='Folder' Comparison='LessThan' Data='3.10.0.0'/>
true | <bar:WUv4RegKeyValue HKLM Value='Path' Data='C:\TOOLS'/>
false | <bar:WUv4RegKeyValue HKLM Value='Path' Data='C:\TOOL'/>
true | <bar:WUv4RegKeySubstring HKLM Value='Folder' Data='ACME'/>
false | <bar:WUv4RegKeySubstring HKLM Value='None' Data='ACME'/>
WUv4RegKeyValue: the value is not text | <bar:WUv4RegKeyValue HKLM Value='Level' Data='7'/>
true | <bar:RegKeyLoop PARTS TrueIf='Any'><bar:RegDword Key='HKEY_LOOP_TARGET' Subkey='\' Value='Level' Comparison='EqualTo' Data='2'/></bar:RegKeyLoop>
true | <bar:RegKeyLoop PARTS TrueIf='Any'><bar:RegDword Key='HKEY_LOOP_TARGET' Subkey='deep' Value='Level' Comparison='EqualTo' Data='1'/></bar:RegKeyLoop>
false | <bar:RegKeyLoop PARTS TrueIf='All'><bar:RegKeyExists Key='HKEY_LOOP_TARGET' Subkey='Deep'/></bar:RegKeyLoop>
true | <bar:RegKeyLoop PARTS TrueIf='None'><lar:Not><bar:RegKeyExists Key='HKEY_LOOP_TARGET' Subkey='\'/></lar:Not></bar:RegKeyLoop>
true | <bar:RegKeyLoop Key='HKEY_LOCAL_MACHINE' Subkey='Software' TrueIf='Any'><bar:RegKeyLoop Key='HKEY_LOOP_TARGET' Subkey='Parts' TrueIf='Any'><bar:RegKeyExists Key='HKEY_LOOP_TARGET' Subkey='Deep'/></bar:RegKeyLoop></bar:RegKeyLoop>
RegKeyLoop: FileExists: nobody looked for c:\other | <bar:RegKeyLoop PARTS TrueIf='All'><bar:FileExists Path='C:\other'/></bar:RegKeyLoop>
RegKeyLoop: RegKeyLoop: inside of a loop it goes over HKEY_LOOP_TARGET alone | <bar:RegKeyLoop PARTS TrueIf='Any'><bar:RegKeyLoop PARTS TrueIf='Any'><lar:True/></bar:RegKeyLoop></bar:RegKeyLoop>
RegKeyLoop: TrueIf: there is no "Some" | <bar:RegKeyLoop PARTS TrueIf='Some'><lar:True/></bar:RegKeyLoop>
true | <bar:WmiQuery WqlQuery="select * from Win32_Bios where ReleaseDate &gt;= '20190204'"/>
false | <bar:WmiQuery Namespace='root/cimv2' WqlQuery='select * from Win32_ComputerSystem'/>
false | <bar:WmiQuery Namespace='\\Root\Acme' WqlQuery='select Name from Things where Size &gt; 5'/>
WmiQuery: nobody looked for class root\acme:win32_bios | <bar:WmiQuery Namespace='Root\Acme' WqlQuery='select * from Win32_BIOS'/>
WmiQuery: nobody looked for column colour of things | <bar:WmiQuery Namespace='Root\Acme' WqlQuery='select * from Things where Colour = 1'/>
WmiQuery: WqlQuery: query: from is missing near word 2 | <bar:WmiQuery WqlQuery='select *'/>
true | <mar:MsiProductInstalled MSI VersionMin='1.6.6.5' VersionMax='1.6.6.5' Language='1033'/>
false | <mar:MsiProductInstalled MSI VersionMin='1.6.6.5' ExcludeVersionMin='true'/>
false | <mar:MsiProductInstalled MSI VersionMax='1.6.6.5' ExcludeVersionMax='1'/>
false | <mar:MsiProductInstalled MSI Language='1031'/>
true | <mar:MsiFeatureInstalledForProduct AllFeaturesRequired='true'><mar:Feature>main</mar:Feature><mar:Feature>Help</mar:Feature><mar:Product>{0}</mar:Product><mar:Product>CODE</mar:Product></mar:MsiFeatureInstalledForProduct>
false | <mar:MsiFeatureInstalledForProduct AllProductsRequired='true'><mar:Feature>main</mar:Feature><mar:Product>{0}</mar:Product><mar:Product>CODE</mar:Product></mar:MsiFeatureInstalledForProduct>
true | <mar:MsiComponentInstalledForProduct><mar:Component>{44444444-4444-4444-4444-444444444444}</mar:Component><mar:Component>x</mar:Component><mar:Product>CODE</mar:Product></mar:MsiComponentInstalledForProduct>
false | <mar:MsiComponentInstalledForProduct AllComponentsRequired='true'><mar:Component>{44444444-4444-4444-4444-444444444444}</mar:Component><mar:Component>x</mar:Component><mar:Product>CODE</mar:Product></mar:MsiComponentInstalledForProduct>
MsiComponentInstalledForProduct: it names no Component or no Product | <mar:MsiComponentInstalledForProduct AllComponentsRequired='true'/>
true | <mar:MsiPatchInstalledForProduct PatchCode='{AAAAAAAA-0000-0000-0000-000000000001}' MSI/>
false | <mar:MsiPatchInstalledForProduct PatchCode='{AAAAAAAA-0000-0000-0000-000000000002}' MSI/>
false | <mar:MsiPatchInstalledForProduct PatchCode='{AAAAAAAA-0000-0000-0000-000000000001}' MSI VersionMin='2'/>
MsiApplicationInstalled: the document brings no MsiApplicationMetadata | <mar:MsiApplicationInstalled/>
given <mar:MsiApplicationMetadata><mar:ProductCode>CODE</mar:ProductCode></mar:MsiApplicationMetadata>
true | <mar:MsiApplicationInstalled/>
false | <mar:MsiApplicationInstallable/>
false | <mar:MsiApplicationSuperseded/>
given <mar:MsiApplicationMetadata><mar:ProductCode Version='2.0' UseRecacheReinstall='LowerVersion'>CODE</mar:ProductCode></mar:MsiApplicationMetadata>
false | <mar:MsiApplicationInstalled/>
true | <mar:MsiApplicationInstallable/>
given <mar:MsiApplicationMetadata><mar:ProductCode Version='1.0' UseRecacheReinstall='LowerVersion'>CODE</mar:ProductCode></mar:MsiApplicationMetadata>
true | <mar:MsiApplicationSuperseded/>
given PATCH(1, , )
true | <mar:MsiPatchInstalled/>
false | <mar:MsiPatchInstallable/>
given PATCH(2, , )
true | <mar:MsiPatchSuperseded/>
false | <mar:MsiPatchInstalled/>
given PATCH(3, ComparisonType='LessThanOrEqual' ComparisonFilter='MajorMinor' Validate='true', 1.6)
true | <mar:MsiPatchInstallable/>
false | <mar:MsiPatchSuperseded/>
given PATCH(3, ComparisonType='Equal' ComparisonFilter='MajorMinorUpdate' Validate='true', 1.6.7)
false | <mar:MsiPatchInstallable/>
given PATCH(3, ComparisonType='Equal' ComparisonFilter='Build' Validate='true', 1.6.7)
MsiPatchInstallable: there is no filter "Build" | <mar:MsiPatchInstallable/>
given PATCH(3, , 1)<mspblob:SequenceData><mspblob:PatchFamily>family</mspblob:PatchFamily><mspblob:Sequence>1.4</mspblob:Sequence></mspblob:SequenceData>
true | <mar:MsiPatchSuperseded/>
given PATCH(3, , 1)<mspblob:SequenceData><mspblob:PatchFamily>family</mspblob:PatchFamily><mspblob:Sequence>1.6</mspblob:Sequence></mspblob:SequenceData>
true | <mar:MsiPatchInstallable/>
given PACKAGE(A, neutral)
true | <cbsar:CbsPackageInstalled/>
false | <cbsar:CbsPackageInstallable/>
given PACKAGE(B, en-US)
false | <cbsar:CbsPackageInstalled/>
true | <cbsar:CbsPackageInstallable/>
given PACKAGE(C, neutral)
true | <cbsar:CbsPackageInstalled/>
given PACKAGE(D, neutral)
false | <cbsar:CbsPackageInstallable/>
given PACKAGE(E, neutral)
CbsPackageInstallable: nobody looked for applicability of package package_e~31bf~amd64~~10.0.1.1 | <cbsar:CbsPackageInstallable/>
true | <cbsar:CbsPackageInstalledByIdentity PackageIdentity='Package_A~31BF~amd64~~10.0.1.1'/>
false | <cbsar:CbsPackageInstalledByIdentity PackageIdentity='Package_B~31BF~amd64~en-us~10.0.1.1'/>
given DRV HardwareID='PCI\VEN_1&amp;DEV_2' DriverVerDate='2010-01-01' DriverVerVersion='0.1.0.0' Class='Video'/>
true | <drv:WindowsDriverInstallable/>
false | <drv:WindowsDriverInstalled/>
given DRV HardwareID='pci\ven_1' DriverVerDate='2020-01-01' DriverVerVersion='1.0.0.0' Class='Video'/>
true | <drv:WindowsDriverInstalled/>
false | <drv:WindowsDriverSuperseded/>
given DRV HardwareID='PCI\VEN_1' DriverVerDate='2020-01-01' DriverVerVersion='0.9.0.0' Class='Video'/>
true | <drv:WindowsDriverSuperseded/>
false | <drv:WindowsDriverInstallable/>
given DRV HardwareID='USB\NEW' DriverVerDate='2020-01-01' DriverVerVersion='0.9.0.0' Class='Printers' Provider='Any'/>
true | <drv:WindowsDriverInstallable/>
given DRV HardwareID='PRN\1' DriverVerDate='2021-01-01' DriverVerVersion='1.0.0.0' Class='Printers' Provider='Any'/>
false | <drv:WindowsDriverInstallable/>
given DRV HardwareID='PRN\1' DriverVerDate='2021-01-01' DriverVerVersion='1.0.0.0' Class='Printers' Provider='Any'><drv:CompatibleProvider>ACME</drv:CompatibleProvider><drv:InstalledVersionRange Min='0.0.0.1' Max='1.0.0.0'/></drv:WindowsDriverMetaData>
true | <drv:WindowsDriverInstallable/>
given DRV HardwareID='PRN\1' DriverVerDate='2021-01-01' DriverVerVersion='1.0.0.0' Class='Printers' Provider='Acme'><drv:InstalledVersionRange Min='2.0.0.0' Max='3.0.0.0'/></drv:WindowsDriverMetaData>
false | <drv:WindowsDriverInstallable/>
given DRV HardwareID='USB\NEW' DriverVerDate='2021-01-01' DriverVerVersion='1.0.0.0' Class='Video'><drv:TargetComputerHardwareId>{11111111-1111-1111-1111-111111111112}</drv:TargetComputerHardwareId></drv:WindowsDriverMetaData>
false | <drv:WindowsDriverInstallable/>
given DRV HardwareID='PRN\1' DriverVerDate='2010-01-01' DriverVerVersion='1.0.0.0' Class='Video'><drv:FeatureScore OperatingSystem='10' FeatureScore='0F'/></drv:WindowsDriverMetaData>
true | <drv:WindowsDriverInstallable/>
given DRV HardwareID='PCI\VEN_1' DriverVerDate='2010-01-01' DriverVerVersion='1.0.0.0' Class='Video'><drv:FeatureScore OperatingSystem='10' FeatureScore='0F'/></drv:WindowsDriverMetaData>
WindowsDriverInstallable: nobody looked for the feature score of the driver of pci\ven_1 | <drv:WindowsDriverInstallable/>
WindowsDriver: what it asks is not documented | <drv:WindowsDriver OemOnly='true'/>
Distance: there is no such test | <bar:Distance/>
Product: this is not a rule | <xsi:Product/>
"#;

/// What needs another computer: several languages, no cluster, no history.
pub(super) const OTHER: &str = r#"
true | <bar:MuiInstalled/>
true | <bar:MuiLanguageInstalled Language='de'/>
false | <bar:WindowsLanguage Language='en'/>
false | <bar:ClusteredOS/>
false | <bar:InstalledOnce/>
"#;
