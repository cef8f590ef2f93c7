#include "pbx/lint.hpp"

#include <gtest/gtest.h>

#include "io/file.hpp"
#include "io/test_directory.hpp"

namespace strowger::pbx {
namespace {

using Texts = std::map<std::string, std::string>;

struct Read {
    std::shared_ptr<config::Configuration> config;
    std::shared_ptr<const dialplan::Dialplan> plan;

    explicit Read(Texts texts) {
        ini::MemoryFiles files(std::move(texts));
        config = config::load(files, "");
        plan = dialplan::load(config->extensions, {}, config->diagnostics);
        EXPECT_TRUE(config->diagnostics.empty()) << config->diagnostics.text();
    }
    std::string said() {
        ini::Diagnostics diagnostics;
        lint(*config, *plan, diagnostics);
        return diagnostics.text();
    }
};

TEST(Lint, NamesTheContextsThatEndpointsEnterAndThatAreNotThere) {
    EXPECT_EQ(
        Read({{"pjsip.conf",
               "[a]\ntype=endpoint\ncontext=hause\n[b]\ntype=endpoint\ncontext=hause\n"
               "[c]\ntype=endpoint\ncontext=house\nmessage_context=texts\n"
               "[d]\ntype=endpoint\n"},
              {"extensions.conf", "[house]\nexten => 1,1,NoOp\n"}})
            .said(),
        "pjsip.conf:1: there is no context 'hause', which is the context of a and 1 more; "
        "nothing can be reached there (did you mean 'house'?)\n"
        "pjsip.conf:7: there is no context 'texts', which is the message_context of c; nothing "
        "can be reached there\n");
}

TEST(Lint, NamesTheContextWhereParkedCallsAreToGo) {
    EXPECT_EQ(
        Read(Texts{{"res_parking.conf", "[default]\ncomebacktoorigin=no\ncomebackcontext=desk\n"}})
            .said(),
        "res_parking.conf:1: there is no context 'desk', where calls of the lot 'default' are "
        "to go when nobody fetches them\n");
}

TEST(Lint, NamesClassesOfMusicThatDoNotExist) {
    EXPECT_EQ(Read({{"musiconhold.conf", "[jazz]\nmode=files\ndirectory=moh\n"},
                    {"pjsip.conf", "[a]\ntype=endpoint\nmoh_suggest=jaz\n"},
                    {"extensions.conf",
                     "[c]\nexten => 1,1,MusicOnHold(rock)\n same => n,StartMusicOnHold(jazz)\n"
                     " same => n,MusicOnHold(default,5)\n same => n,MusicOnHold(${X})\n"
                     " same => n,Dial(PJSIP/a,20,tm(blues)T)\n same => n,WaitExten(5,m(soul))\n"
                     " same => n,Set(CHANNEL(musicclass)=pop)\n"}})
                  .said(),
              "pjsip.conf:1: there is no class of music 'jaz', which is the moh_suggest of a; "
              "'default' is played (did you mean 'jazz'?)\n"
              "extensions.conf:2: there is no class of music 'rock'; 'default' is played\n"
              "extensions.conf:6: there is no class of music 'blues'; 'default' is played\n"
              "extensions.conf:7: there is no class of music 'soul'; 'default' is played\n"
              "extensions.conf:8: there is no class of music 'pop'; 'default' is played\n");
}

TEST(Lint, KnowsEveryApplicationThatAnExchangeHas) {
    EXPECT_EQ(Read(Texts{{"extensions.conf",
                          "[c]\nexten => 1,1,Dial(PJSIP/a)\n same => n,MessageSend(pjsip:a)\n"
                          " same => n,NoOp(${MESSAGE(body)}${CALLERID(num)}${LEN(x)})\n"
                          " same => n,Playback(x)\n same => n,Park()\n same => n,Pickup()\n"}})
                  .said(),
              "");
}

TEST(LintSounds, NamesEachPromptThatNoFileIsFoundForOnce) {
    const io::TestDirectory directory;
    ASSERT_TRUE(io::make_directories(directory.path + "/en/digits"));
    ASSERT_TRUE(io::replace_file(directory.path + "/en/hello.wav", "x"));
    ASSERT_TRUE(io::replace_file(directory.path + "/en/digits/1.ulaw", "x"));
    const Read read(
        {{"features.conf", "[general]\npickupsound=gone-pickup\n"},
         {"extensions.conf",
          "[c]\nexten => 1,1,Playback(hello&digits/1&gone)\n same => n,Background(gone,m)\n"
          " same => n,Read(x,gone-read&hello,4)\n same => n,Read(x,dial,,i)\n"
          " same => n,Playback(${X}&greet-${Y},noanswer)\n same => "
          "n,Dial(PJSIP/a,5,A(gone-dial)t)\n"
          " same => n,ExecIf(1?Playback(gone-if))\n"}});
    ini::Diagnostics diagnostics;
    lint_sounds(*read.config, *read.plan, Sounds({directory.path}, {}), diagnostics);
    EXPECT_EQ(diagnostics.text(),
              "extensions.conf:2: the sound 'gone' is not found\n"
              "extensions.conf:4: the sound 'gone-read' is not found\n"
              "extensions.conf:7: the sound 'gone-dial' is not found\n"
              "extensions.conf:8: the sound 'gone-if' is not found\n"
              "features.conf: the sound 'gone-pickup' is not found\n");
}

}  // namespace
}  // namespace strowger::pbx
