#include <gtest/gtest.h>

#include "pbx/dialplan/arguments.hpp"
#include "pbx/dialplan/fixture.hpp"

namespace strowger::dialplan {
namespace {

using testing::Exchange;

TEST(Substitution, SubstringsCountFromEitherEnd) {  // [v]
    Exchange x;
    (void)x.call.variables().set("v", "telephone");
    EXPECT_EQ(x.eval("${v:4}"), "phone");
    EXPECT_EQ(x.eval("${v:0:4}"), "tele");
    EXPECT_EQ(x.eval("${v:-5}"), "phone");
    EXPECT_EQ(x.eval("${v:2:-3}"), "leph");
    EXPECT_EQ(x.eval("${v:-5:2}"), "ph");
    EXPECT_EQ(x.eval("${v:20}"), "");
    EXPECT_EQ(x.eval("${TOUPPER(abc:def):4}"), "DEF");
    EXPECT_EQ(x.eval("${v:-99:2}"), "te");
    EXPECT_EQ(x.eval("${v:99999999999999999999}"), "");
}

TEST(Substitution, NestsAndIsNotScannedAgain) {
    Exchange x;
    (void)x.call.variables().set("n", "v");
    (void)x.call.variables().set("v", "${n}");
    (void)x.call.variables().set("A1", "one");
    EXPECT_EQ(x.eval("${${n}}"), "${n}");
    EXPECT_EQ(x.eval("${A${LEN(x)}}"), "one");
    EXPECT_EQ(x.eval("${EVAL(${v})}"), "v");
    EXPECT_EQ(x.eval("$5 and $ and $[1+1]"), "$5 and $ and 2");
    EXPECT_EQ(x.eval("[${unknown}]"), "[]");
    EXPECT_EQ(x.eval("[${NOSUCH(1)}]"), "[]");
    EXPECT_FALSE(x.call.reports.empty());
}

TEST(Substitution, IsBoundedInDepthAndSize) {
    Exchange x;
    std::string deep;
    for (int i = 0; i < 1000; ++i) deep += "${";
    for (int i = 0; i < 1000; ++i) deep += "}";
    EXPECT_EQ(x.eval(deep), "");
    (void)x.call.variables().set("a", "${EVAL(${a})}");
    EXPECT_EQ(x.eval("${EVAL(${a})}"), "");
    (void)x.call.variables().set("big", std::string(50'000, 'x'));
    EXPECT_EQ(x.eval("${big}${big}${big}").size(), max_substituted);
}

TEST(Variables, BuiltInsAreReadButNotReportedByVariableExists) {  // [v]
    Exchange x;
    x.call.set_position({"c", "101", 3});
    EXPECT_EQ(x.eval("${CONTEXT},${EXTEN},${PRIORITY},${EPOCH},${UNIQUEID}"),
              "c,101,3,1700000000,1700000000.1");
    EXPECT_EQ(x.eval("${VARIABLE_EXISTS(EXTEN)}"), "0");
    (void)x.call.variables().set("x", "");
    EXPECT_EQ(x.eval("${VARIABLE_EXISTS(x)}"), "1");
}

TEST(Variables, GlobalsLieBelowChannelVariablesAndNamesAreCaseSensitive) {
    Exchange x("[globals]\nA = 1\nB = ${A}2\nDIAL_TIMEOUT =,30\n");
    EXPECT_EQ(x.eval("${B}${DIAL_TIMEOUT}"), "12,30");
    (void)x.call.variables().set("A", "9");
    EXPECT_EQ(x.eval("${A} ${GLOBAL(A)} [${a}]"), "9 1 []");
}

TEST(Variables, UnderscoresSayHowFarAVariableIsInherited) {
    Exchange x;
    (void)x.call.variables().set("_once", "1");
    (void)x.call.variables().set("__always", "2");
    (void)x.call.variables().set("never", "3");
    EXPECT_EQ(x.eval("${once}${always}"), "12");
    Variables child;
    x.call.variables().inherit_to(child);
    Variables grandchild;
    child.inherit_to(grandchild);
    EXPECT_EQ(child.get("once"), "1");
    EXPECT_FALSE(child.get("never"));
    EXPECT_FALSE(grandchild.get("once"));
    EXPECT_EQ(grandchild.get("always"), "2");
}

struct Case {
    std::string_view expression;
    std::string_view result;
};

TEST(Functions, OfText) {
    Exchange x;
    (void)x.call.variables().set("list", "a-b-c-d");
    (void)x.call.variables().set("uri", "\"Ann\" <sip:ann@h>");
    for (const auto& [expression, result] :
         std::initializer_list<Case>{{"${CUT(list,-,2)}", "b"},
                                     {"${CUT(list,-,2-)}", "b-c-d"},
                                     {"${CUT(list,-,-2)}", "a-b"},
                                     {"${CUT(list,-,1&3)}", "a-c"},
                                     {"${CUT(list,-,9)}", ""},
                                     {"${CUT(uri,@,1)}", "\"Ann\" <sip:ann"},
                                     {"${CUT(TOUPPER(x@y),@,1)}", "X"},
                                     {"${FILTER(0-9,+46 (8) 12)}", "46812"},
                                     {"${LEN(abc)}", "3"},
                                     {"${QUOTE(a\"b\\c)}", "\"a\\\"b\\\\c\""},
                                     {"${CSV_QUOTE(a\"b)}", "\"a\"\"b\""},
                                     {"${URIENCODE(a b/ö)}", "a%20b%2F%C3%B6"},
                                     {"${URIDECODE(a%20b%zz%4)}", "a b%zz%4"},
                                     {"${KEYPADHASH(Les)}", "537"},
                                     {"${REGEX(\"^[0-9]+$\" 123)}", "1"},
                                     {"${REGEX(\"^[0-9]+$\" 12a)}", "0"},
                                     {"${REPLACE(list,-,.)}", "a.b.c.d"},
                                     {"${STRREPLACE(list,-,--,2)}", "a--b--c-d"},
                                     {"${SPRINTF(%03d|%s|%.2f|%%,7,x,2.5)}", "007|x|2.50|%"},
                                     {"${BASENAME(/a/b.wav)} ${DIRNAME(/a/b.wav)}", "b.wav /a"},
                                     {"[${TRIM(  a b )}]", "[a b]"},
                                     {"${FIELDQTY(list,-)} ${FIELDNUM(list,-,c)}", "4 3"},
                                     {"${LISTFILTER(list,-,b)}", "a-c-d"},
                                     {"${SORT(a:3,b:1,c:2)}", "b,c,a"},
                                     {"${PASSTHRU(x,y)}", "x,y"}})
        EXPECT_EQ(x.eval(expression), result) << expression;
}

TEST(Functions, OfNumbers) {
    Exchange x;
    (void)x.call.variables().set("n", "41");
    (void)x.call.variables().set("word", "abc");
    for (const auto& [expression, result] : std::initializer_list<Case>{
             {"${MATH(2*5)}", "10.000000"},  // [v]
             {"${MATH(2*5,int)}", "10"},
             {"${MATH(255+0,hex)}", "ff"},
             {"${MATH(-3-4,int)}", "-7"},
             {"${MATH(2**3,i)}", "8"},
             {"${MATH(5>3)}", "TRUE"},
             {"${INC(n)} ${n}", "42 42"},
             {"${DEC(n)}", "41"},
             {"[${INC(word)}]", "[]"},  // [v]
             {"${MIN(3,1,2)} ${MAX(3,1,2)} ${ABS(-4)}", "1 3 4"},
             {"${IF($[1 = 1]?yes:no)} ${IF(0?a:b)}", "yes b"},
             {"${ISNULL()}${ISNULL(a)}${EXISTS(a)}", "101"},
             {"${RAND(7,7)}", "7"},
             {"${IFTIME(*,tue,*,*?t:f)} ${IFTIME(22:00-23:00,*,*,*?t:f)} "
              "${IFTIME(9:00-17:00,*,*,*?t:f)}",
              "t t f"},
             {"${STRFTIME(0,UTC,%Y-%m-%d %H:%M:%S)}", "1970-01-01 00:00:00"},
             {"${STRFTIME(0.25,UTC,%3q)}", "250"},
             {"${STRFTIME(1700000000,Europe/Stockholm,%H:%M %z)}", "23:13 +0100"},
             {"${STRPTIME(2023-11-14 22:13:20,UTC,%Y-%m-%d %H:%M:%S)}", "1700000000"}})
        EXPECT_EQ(x.eval(expression), result) << expression;
}

TEST(Functions, ThatChangeLists) {
    Exchange x;
    (void)x.call.variables().set("l", "a&b&c");
    EXPECT_EQ(x.eval("${SHIFT(l,&)}${l}"), "ab&c");
    EXPECT_EQ(x.eval("${POP(l,&)}${l}"), "cb");
    ASSERT_TRUE(x.call.assign("PUSH(l,&)", "d"));
    ASSERT_TRUE(x.call.assign("UNSHIFT(l,&)", "z"));
    EXPECT_EQ(x.eval("${l}"), "z&b&d");
    EXPECT_EQ(x.eval("${SET(m=7)}${m}"), "77");
    ASSERT_TRUE(x.call.assign("ARRAY(p,q)", "1,2"));
    EXPECT_EQ(x.eval("${p}${q}"), "12");
    ASSERT_TRUE(x.call.assign("HASH(h,k1)", "v1"));
    ASSERT_TRUE(x.call.assign("HASH(h,k2)", "v2"));
    EXPECT_EQ(x.eval("${HASH(h,k2)} ${HASHKEYS(h)} ${HASH(h)}"), "v2 k1,k2 v1,v2");
}

TEST(Functions, OfDigestsAreThoseOfTheStandards) {
    Exchange x;
    EXPECT_EQ(x.eval("${MD5(abc)}"), "900150983cd24fb0d6963f7d28e17f72");           // RFC 1321 A.5
    EXPECT_EQ(x.eval("${SHA1(abc)}"), "a9993e364706816aba3e25717850c26c9cd0d89d");  // FIPS 180
    EXPECT_EQ(x.eval("${BASE64_ENCODE(foob)}"), "Zm9vYg==");  // RFC 4648 section 10
    EXPECT_EQ(x.eval("${BASE64_DECODE(Zm9vYg==)}"), "foob");
    EXPECT_EQ(x.eval("[${BASE64_DECODE(Zm9)}]"), "[]");
    EXPECT_EQ(
        x.eval("${AES_DECRYPT(0123456789abcdef,${AES_ENCRYPT(0123456789abcdef,a secret, long)})}"),
        "a secret, long");
    EXPECT_EQ(x.eval("${UUID()}").size(), 36u);
}

TEST(Functions, OfTheDatabase) {
    Exchange x;
    ASSERT_TRUE(x.call.assign("DB(cf/101)", "200"));
    ASSERT_TRUE(x.call.assign("DB(cf/a/b)", "1"));
    EXPECT_EQ(x.eval("${DB(cf/101)} ${DB_EXISTS(cf/101)} ${DB_EXISTS(cf/1)} ${DB_KEYS(cf)}"),
              "200 1 0 101,a");
    EXPECT_EQ(x.eval("${DB_DELETE(cf/101)}[${DB(cf/101)}]"), "200[]");
}

TEST(Functions, OfJson) {
    Exchange x;
    (void)x.call.variables().set("j", R"({"a":{"b":[10,"x",true]},"n":null})");
    EXPECT_EQ(x.eval("${JSON_DECODE(j,a.b.1)} ${JSON_DECODE(j,a.b.0)} ${JSON_DECODE(j,a.b,,c)} "
                     "[${JSON_DECODE(j,n)}]"),
              "x 10 3 []");
    (void)x.call.variables().set("j", std::string(60'000, '['));
    EXPECT_EQ(x.eval("${JSON_DECODE(j,a)}"), "");
}

TEST(Functions, OfTheDialplan) {
    Exchange x("[c]\nexten => 1,1,NoOp()\n same => n(lab),NoOp()\nexten => 2,hint,PJSIP/a\n");
    EXPECT_EQ(x.eval("${DIALPLAN_EXISTS(c)}${DIALPLAN_EXISTS(d)}${DIALPLAN_EXISTS(c,1)}${DIALPLAN_"
                     "EXISTS(c,1,lab)}${DIALPLAN_EXISTS(c,1,9)}"),
              "10110");
    EXPECT_EQ(x.eval("${HINT(2@c)} ${ENV(HOME)}"), "PJSIP/a env:HOME");
}

TEST(Arguments, StandardSplittingTakesQuotesAwayAndRawKeepsThem) {
    EXPECT_EQ(split_arguments("a,\"b,c\",(d,e),f\\,g"),
              (std::vector<std::string>{"a", "b,c", "(d,e)", "f,g"}));
    EXPECT_EQ(split_raw("a,\"b,c\",,"), (std::vector<std::string_view>{"a", "\"b,c\"", "", ""}));
    EXPECT_TRUE(split_arguments("").empty());
}

}  // namespace
}  // namespace strowger::dialplan
