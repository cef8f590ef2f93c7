#include "pbx/config/configuration.hpp"

#include <gtest/gtest.h>

#include "pbx/config/codecs.hpp"

namespace strowger::pbx::config {
namespace {

std::shared_ptr<Configuration> load_of(std::map<std::string, std::string> texts) {
    ini::MemoryFiles files(std::move(texts));
    return load(files, "");
}

TEST(Pjsip, SectionsOfOneNameAndDifferentTypesAreDifferentObjects) {
    const auto c =
        load_of({{"pjsip.conf",
                  "[a]\ntype=endpoint\ncontext=in\naors=a\nauth=a\nallow=!all,ulaw,alaw\n"
                  "[a]\ntype=aor\nmax_contacts=2\n[a]\ntype=auth\nusername=u\npassword=p\n"}});
    ASSERT_TRUE(c->ok()) << c->diagnostics.text();
    EXPECT_EQ(c->endpoints.find("a")->context, "in");
    EXPECT_EQ(c->endpoints.find("a")->codecs, (std::vector<std::string>{"ulaw", "alaw"}));
    EXPECT_EQ(c->aors.find("a")->max_contacts, 2u);
    EXPECT_EQ(c->auths.find("a")->username, "u");
    EXPECT_TRUE(c->diagnostics.empty()) << c->diagnostics.text();
}

TEST(Pjsip, UnknownKeysAreWarningsAndBadValuesErrorsWithTheirPlace) {
    const auto c = load_of({{"pjsip.conf",
                             "[a]\ntype=endpoint\ncontxt=in\ntimers=sometimes\nallow=!all,ullaw\n"
                             "[b]\ntype=endpiont\n[t]\ntype=transport\nbind=here\n"}});
    EXPECT_FALSE(c->ok());
    EXPECT_EQ(
        c->diagnostics.text(),
        "pjsip.conf:3: unknown key 'contxt' (did you mean 'context'?)\n"
        "pjsip.conf:4: timers: expected one of no, yes, required, always, forced, got 'sometimes'\n"
        "pjsip.conf:5: allow: unknown codec 'ullaw' (did you mean 'ulaw'?)\n"
        "pjsip.conf:6: [b] has an unknown type 'endpiont'; ignored (did you mean 'endpoint'?)\n"
        "pjsip.conf:10: bind: expected address[:port], got 'here'\n");
}

TEST(Pjsip, TheLastScalarWinsAndListsAccumulate) {
    const auto c = load_of({{"pjsip.conf",
                             "[t](!)\ntype=endpoint\ncontext=one\nset_var=A=1\nset_var=B=2\n"
                             "[a](t)\ncontext=two\nset_var=A=3\n[i]\ntype=identify\nendpoint=a\n"
                             "match=192.0.2.1\nmatch=198.51.100.0/24,sip.example.com\n"}});
    const auto* a = c->endpoints.find("a");
    ASSERT_TRUE(a);
    EXPECT_EQ(a->context, "two");
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    EXPECT_EQ(a->set_var, (Pairs{{"A", "3"}, {"B", "2"}}));
    EXPECT_EQ(c->identifies.find("i")->match.size(), 2u);
    EXPECT_EQ(c->identifies.find("i")->match_names, (std::vector<std::string>{"sip.example.com"}));
}

TEST(Pjsip, AnyFieldOfAnEndpointIsThereAsText) {  // [v]
    const auto c =
        load_of({{"pjsip.conf",
                  "[a]\ntype=endpoint\nset_var=TRUNK=t1\nallow=!all,ulaw\nrtp_timeout=30\n"}});
    const auto* a = c->endpoints.find("a");
    EXPECT_EQ(a->field("rtp_timeout"), "30");
    EXPECT_EQ(a->field("allow"), "!all,ulaw");
    EXPECT_EQ(a->field("TRUNK"), "t1");
    EXPECT_EQ(a->field("context"), "default");
    EXPECT_EQ(a->field("direct_media"), "yes");
    EXPECT_EQ(a->field("mailboxes"), "");
    EXPECT_EQ(a->field("nonsense"), std::nullopt);
}

TEST(Pjsip, WebrtcStandsForSeveralOptions) {
    const auto c = load_of({{"pjsip.conf", "[a]\ntype=endpoint\nwebrtc=yes\n"}});
    const auto* a = c->endpoints.find("a");
    EXPECT_TRUE(a->bundle && a->rtcp_mux && a->use_avpf && a->ice_support &&
                a->dtls_auto_generate_cert);
    EXPECT_EQ(a->media_encryption, MediaEncryption::dtls);
    EXPECT_EQ(a->dtls_setup, DtlsSetup::actpass);
    EXPECT_EQ(a->dtls_verify, DtlsVerify::fingerprint);
}

TEST(Transport, WithoutLocalNetEveryPeerIsOutside) {
    const auto c =
        load_of({{"pjsip.conf",
                  "[u]\ntype=transport\nbind=0.0.0.0\ntos=cs3\n"
                  "[t]\ntype=transport\nprotocol=tls\nbind=[::]\nlocal_net=10.0.0.0/8\n"}});
    const auto* u = c->transports.find("u");
    const auto* t = c->transports.find("t");
    EXPECT_EQ(u->bind.port, 5060);
    EXPECT_EQ(u->tos, 0x60);
    EXPECT_EQ(t->bind.port, 5061);
    EXPECT_TRUE(u->is_outside(*IpAddress::parse("10.1.2.3")));
    EXPECT_FALSE(t->is_outside(*IpAddress::parse("10.1.2.3")));
    EXPECT_TRUE(t->is_outside(*IpAddress::parse("192.0.2.1")));
}

TEST(Acl, TheLastMatchWinsAndTheDefaultAllows) {
    const auto c = load_of({{"acl.conf", "[x]\ndeny=0.0.0.0/0\npermit=192.0.2.0/255.255.255.0\n"}});
    const auto& x = c->acls.find("x")->access;
    EXPECT_TRUE(x.allows(*IpAddress::parse("192.0.2.9")));
    EXPECT_FALSE(x.allows(*IpAddress::parse("198.51.100.1")));
    EXPECT_TRUE(AccessRules{}.allows(*IpAddress::parse("198.51.100.1")));
}

constexpr auto wizard_text =
    "[w](!)\ntype=wizard\n"
    "[alice](w)\naccepts_registrations=yes\naccepts_auth=yes\nhas_hint=yes\nhint_exten=101\n"
    "hint_context=hints\nhint_application=Gosub(x,${EXTEN},1)\ninbound_auth/username=alice\n"
    "inbound_auth/password=s\nendpoint/context=in\naor/max_contacts=3\nendpoint/allow=!all,alaw\n"
    "[itsp:one](w)\nsends_auth=yes\nsends_registrations=yes\nremote_hosts=a.example.com:5070,192.0."
    "2.1\n"
    "outbound_auth/username=4612\noutbound_auth/password=t\nregistration/expiration=90\n";

TEST(Wizard, APhoneBecomesEndpointAorAuthAndHint) {
    const auto c = load_of({{"pjsip_wizard.conf", wizard_text}});
    ASSERT_TRUE(c->diagnostics.empty()) << c->diagnostics.text();
    const auto* alice = c->endpoints.find("alice");
    ASSERT_TRUE(alice);
    EXPECT_EQ(alice->aors, (std::vector<std::string>{"alice"}));
    EXPECT_EQ(alice->auth, (std::vector<std::string>{"alice-iauth"}));
    EXPECT_EQ(alice->field("@pjsip_wizard"), "alice");
    EXPECT_EQ(alice->field("@hint_exten"), "101");
    EXPECT_EQ(alice->field("@hint_context"), "hints");
    EXPECT_EQ(alice->field("allow"), "!all,alaw");
    EXPECT_EQ(c->aors.find("alice")->max_contacts, 3u);
    EXPECT_EQ(c->auths.find("alice-iauth")->password, "s");
    EXPECT_FALSE(c->identifies.find("alice-identify"));
    ASSERT_EQ(c->hints.size(), 1u);
    EXPECT_EQ(c->hints[0].context, "hints");
    EXPECT_EQ(c->hints[0].application, "Gosub(x,${EXTEN},1)");
}

TEST(Wizard, ATrunkBecomesIdentifyAndARegistrationForEachHost) {
    const auto c = load_of({{"pjsip_wizard.conf", wizard_text}});
    const auto* identify = c->identifies.find("itsp:one-identify");
    ASSERT_TRUE(identify);
    EXPECT_EQ(identify->endpoint, "itsp:one");
    EXPECT_EQ(identify->match.size(), 1u);
    EXPECT_EQ(identify->match_names, (std::vector<std::string>{"a.example.com"}));
    EXPECT_EQ(c->aors.find("itsp:one")->contact,
              (std::vector<std::string>{"sip:a.example.com:5070", "sip:192.0.2.1"}));
    const auto* first = c->registrations.find("itsp:one-reg-0");
    ASSERT_TRUE(first);
    EXPECT_EQ(first->server_uri, "sip:a.example.com:5070");
    EXPECT_EQ(first->client_uri, "sip:4612@a.example.com:5070");
    EXPECT_EQ(first->outbound_auth, (std::vector<std::string>{"itsp:one-oauth"}));
    EXPECT_EQ(first->expiration, 90u);
    EXPECT_TRUE(c->registrations.find("itsp:one-reg-1"));
    EXPECT_EQ(c->endpoints.find("itsp:one")->outbound_auth,
              (std::vector<std::string>{"itsp:one-oauth"}));
}

TEST(Wizard, IncompleteAndMisspeltSectionsAreNamed) {
    const auto c = load_of({{"pjsip_wizard.conf",
                             "[a]\ntype=wizard\naccepts_auth=yes\naccepts_registrations=yes\n"
                             "[b]\ntype=wizard\nremote_host=x\n"
                             "[c]\ntype=wizard\naccepts_registrations=yes\nendpiont/"
                             "allow=ulaw\nendpoint/alow=ulaw\n"}});
    EXPECT_EQ(c->diagnostics.text(),
              "pjsip_wizard.conf:1: [a]: accepts_auth=yes needs inbound_auth/username\n"
              "pjsip_wizard.conf:7: unknown key 'remote_host' (did you mean 'remote_hosts'?)\n"
              "pjsip_wizard.conf:5: [b]: remote_hosts is needed unless accepts_registrations=yes\n"
              "pjsip_wizard.conf:11: unknown key 'endpiont/allow' (did you mean 'endpoint'?)\n"
              "pjsip_wizard.conf:12: unknown key 'alow' (did you mean 'allow'?)\n");
    EXPECT_FALSE(c->endpoints.find("a"));
}

TEST(Codecs, AllowAndDisallowApplyInOrder) {
    std::vector<std::string> codecs;
    ASSERT_TRUE(apply_codecs(codecs, "all", true));
    EXPECT_EQ(codecs.size(), known_codecs().size());
    ASSERT_TRUE(apply_codecs(codecs, "!all,alaw,ulaw", true));
    ASSERT_TRUE(apply_codecs(codecs, "g722:20", true));
    ASSERT_TRUE(apply_codecs(codecs, "alaw", false));
    EXPECT_EQ(codecs, (std::vector<std::string>{"ulaw", "g722:20"}));
    ASSERT_TRUE(apply_codecs(codecs, "g722:40,!ulaw", true));
    EXPECT_EQ(codecs, (std::vector<std::string>{"g722:40"}));
    for (const auto wrong : {"ulaw:", "ulaw:x", "ulaw:0", "ulaw:301"})
        EXPECT_FALSE(apply_codecs(codecs, wrong, true)) << wrong;
}

TEST(Tones, ItemsAreFrequenciesModulationAndDuration) {
    const auto tones = parse_tones("!350+440/100,!0/100,425*25/0,440");
    ASSERT_TRUE(tones);
    EXPECT_EQ((*tones)[0].frequencies, (std::vector<unsigned>{350, 440}));
    EXPECT_TRUE((*tones)[0].once);
    EXPECT_EQ((*tones)[0].duration, 100u);
    EXPECT_EQ((*tones)[2].modulation, 25u);
    EXPECT_EQ((*tones)[3].duration, 0u);
    EXPECT_FALSE(parse_tones("440/x"));
}

TEST(Settings, OfTheSmallFiles) {
    const auto c = load_of(
        {{"asterisk.conf",
          "[directories](!)\nastetcdir=/x\n[options]\nverbose=3\nexecincludes=no\n"},
         {"rtp.conf",
          "[general]\nrtpstart=10000\nrtpend=10099\nstrictrtp=no\n[ice_host_candidates]\n10.0.0.1 "
          "=> 192.0.2.1\n"},
         {"logger.conf", "[logfiles]\nsyslog.local0 = notice,warning\nconsole = verbose(3),eror\n"},
         {"modules.conf", "[modules]\nautoload=yes\nnoload => app_queue.so\n"},
         {"musiconhold.conf", "[default]\nmode=files\ndirectory=moh\n"},
         {"features.conf",
          "[featuremap]\nblindxfer=##\n[applicationmap]\nx => *9,self,Playback(beep)\n"},
         {"indications.conf", "[general]\ncountry=se\n[se]\ndial=425\nringcadence=1000,5000\n"}});
    EXPECT_TRUE(c->ok()) << c->diagnostics.text();
    EXPECT_TRUE(c->asterisk.directories.empty());
    EXPECT_EQ(c->rtp.rtpend, 10099);
    EXPECT_EQ(c->rtp.ice_host_candidates.size(), 1u);
    EXPECT_EQ(c->logger.targets[0].name, "local0");
    EXPECT_FALSE(c->modules.wants("app_queue"));
    EXPECT_TRUE(c->modules.wants("app_dial.so"));
    EXPECT_EQ(c->music.find("default")->directory, "moh");
    EXPECT_EQ(c->features.applicationmap[0].arguments, "beep");
    EXPECT_EQ(c->indications.zone()->tone("dial"), "425");
    EXPECT_EQ(c->diagnostics.text(),
              "logger.conf:3: unknown log level 'eror' (did you mean 'error'?)\n");
}

TEST(ParkingLots, AreSectionsAndTheDefaultOneExistsAnyway) {
    const auto none = load_of({{"rtp.conf", ""}});
    ASSERT_TRUE(none->parking_lots.find("default"));
    EXPECT_EQ(none->parking_lots.find("default")->parkext, "700");
    EXPECT_EQ(none->parking_lots.find("default")->last, 720u);
    const auto c =
        load_of({{"res_parking.conf",
                  "[general]\nparkeddynamic=no\n[default]\nparkpos => 750-760\nfindslot => next\n"
                  "[sales]\ncontext=lot\nparkext=800\nparkpos=801\ncomebacktoorigin=no\n"}});
    EXPECT_TRUE(c->ok()) << c->diagnostics.text();
    EXPECT_EQ(c->parking_lots.find("default")->first, 750u);
    EXPECT_TRUE(c->parking_lots.find("default")->next_space);
    const auto* sales = c->parking_lots.find("sales");
    ASSERT_TRUE(sales);
    EXPECT_EQ(sales->context, "lot");
    EXPECT_EQ(sales->first, 801u);
    EXPECT_EQ(sales->last, 801u);
    EXPECT_FALSE(sales->comebacktoorigin);
    for (const auto* wrong : {"720-701", "0-5", "1-99999", "x"})
        EXPECT_FALSE(
            load_of({{"res_parking.conf", std::string("[default]\nparkpos=") + wrong + "\n"}})
                ->ok())
            << wrong;
}

TEST(CallerId, IsNameAndNumber) {
    EXPECT_EQ(CallerId::parse("\"Ann B\" <101>").name, "Ann B");
    EXPECT_EQ(CallerId::parse("\"Ann B\" <101>").number, "101");
    EXPECT_EQ(CallerId::parse("+4612").number, "+4612");
    EXPECT_EQ(CallerId::parse("Ann <1").number, "1");
}

}  // namespace
}  // namespace strowger::pbx::config
